// SPDX-License-Identifier: MIT
pragma solidity >=0.8.25 <0.9.0;

import {FHE, InEuint128, euint128} from "@fhenixprotocol/cofhe-contracts/FHE.sol";

/// Symmetric keys as two encrypted 128-bit halves. Only the accounts named by the submitter, and those the coordinator
/// adds, may decrypt them. A second `storeKey` under the same id replaces the first, as it does on the network.
contract PromptKeyStore {
    struct Halves {
        euint128 high;
        euint128 low;
    }

    struct OutputKey {
        uint256 KoH;
        uint256 KoL;
    }

    address public icl;
    mapping(bytes32 jobId => OutputKey) public outputKeys;
    mapping(bytes32 jobId => Halves) private _keys;

    event KeyStored(
        bytes32 indexed jobId, address indexed submitter, uint256 highHandle, uint256 lowHandle, address[] allowedNodes
    );
    event DecryptAccessGranted(bytes32 indexed jobId, address indexed node);
    event OutputKeyStored(bytes32 indexed jobId, uint256 koHighHandle, uint256 koLowHandle, address indexed userAddress);

    modifier onlyICL() {
        require(msg.sender == icl, "only the coordinator");
        _;
    }

    /// The first caller names the coordinator, afterwards only the coordinator its successor.
    function setICL(address _icl) external {
        require(icl == address(0) || icl == msg.sender, "only the coordinator");
        require(_icl != address(0), "no coordinator");
        icl = _icl;
    }

    function storeKey(
        bytes32 jobId,
        InEuint128 calldata encHigh,
        InEuint128 calldata encLow,
        address[] calldata allowedNodes
    ) external {
        Halves memory key = Halves(FHE.asEuint128(encHigh), FHE.asEuint128(encLow));
        _keys[jobId] = key;
        FHE.allowThis(key.high);
        FHE.allowThis(key.low);
        for (uint256 i = 0; i < allowedNodes.length; i++) _allow(key, allowedNodes[i]);
        emit KeyStored(jobId, msg.sender, euint128.unwrap(key.high), euint128.unwrap(key.low), allowedNodes);
    }

    function grantDecryptAccess(bytes32 jobId, address node) external onlyICL {
        Halves memory key = _keys[jobId];
        require(euint128.unwrap(key.high) != 0, "no such key");
        _allow(key, node);
        emit DecryptAccessGranted(jobId, node);
    }

    /// Records handles that were stored here before; handles of strangers fail in the access control list.
    function storeOutputKey(bytes32 jobId, uint256 koHighHandle, uint256 koLowHandle, address userAddress)
        external
        onlyICL
    {
        outputKeys[jobId] = OutputKey(koHighHandle, koLowHandle);
        _allow(Halves(euint128.wrap(koHighHandle), euint128.wrap(koLowHandle)), userAddress);
        emit OutputKeyStored(jobId, koHighHandle, koLowHandle, userAddress);
    }

    /// Both handles are 0 where nothing was stored.
    function getEncryptedKey(bytes32 jobId) external view returns (uint256, uint256) {
        Halves storage key = _keys[jobId];
        return (euint128.unwrap(key.high), euint128.unwrap(key.low));
    }

    function _allow(Halves memory key, address account) private {
        FHE.allow(key.high, account);
        FHE.allow(key.low, account);
    }
}
