// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// The devnet's BLIND: an ERC-20 of 18 decimals that its owner mints.
contract Blind is ERC20, Ownable {
    constructor(address owner_) ERC20("Blindference", "BLIND") Ownable(owner_) {}

    function mint(address to, uint256 amount) external onlyOwner {
        _mint(to, amount);
    }
}
