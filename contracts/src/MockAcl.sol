// SPDX-License-Identifier: MIT
pragma solidity >=0.8.25 <0.9.0;

import {ACL, Permission} from "@fhenixprotocol/cofhe-mock-contracts/ACL.sol";

/// CoFHE's mock access control list with the one call of newer SDKs that it lacks.
contract MockAcl is ACL {
    constructor(address owner_) ACL(owner_) {}

    function checkPermitValidity(Permission memory permission) external view withPermission(permission) returns (bool) {
        return true;
    }
}
