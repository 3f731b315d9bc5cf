// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

/// What the coordinator says became of a task: one accepted or rejected result each, which the task's developer may
/// dispute within the window and the coordinator then settles.
contract ResultRegistry is Ownable {
    enum Status {
        Pending,
        Accepted,
        Rejected,
        Disputed,
        Settled
    }

    struct InferenceResult {
        bytes32 taskId;
        bytes32 resultHash;
        address leaderAddress;
        address[] verifierAddresses;
        uint8 confirmCount;
        uint8 rejectCount;
        uint8 aggregatedConfidence;
        bytes32 modelId;
        uint256 committedAt;
        Status status;
        uint256 disputeDeadline;
        bytes32 coverageId;
    }

    struct Dispute {
        bytes32 evidenceHash;
        string evidenceURI;
        address filedBy;
        uint256 filedAt;
        bool resolved;
        bool upheld;
        uint8 verdict;
    }

    uint256 private constant DISPUTE_WINDOW = 72 hours;
    uint8 private constant PERCENT = 100;

    address public immutable iclServiceAddress;
    address public immutable nodeOperatorRegistryAddress;
    mapping(bytes32 taskId => InferenceResult) public results;
    mapping(bytes32 taskId => Dispute) public disputes;
    mapping(bytes32 taskId => address) public developerByTask;

    event ResultCommitted(bytes32 indexed taskId, bytes32 resultHash, address leader, uint8 confirms, uint8 confidence);
    event ResultRejected(bytes32 indexed taskId, address leader, string reason);
    event DisputeSubmitted(bytes32 indexed taskId, address indexed developer, bytes32 evidenceHash);
    event DisputeResolved(bytes32 indexed taskId, bool upheld, uint8 verdict);

    modifier onlyICL() {
        require(msg.sender == iclServiceAddress, "only the coordinator");
        _;
    }

    constructor(address owner_, address icl, address nodeRegistry) Ownable(owner_) {
        iclServiceAddress = icl;
        nodeOperatorRegistryAddress = nodeRegistry;
    }

    function commitResult(
        bytes32 taskId,
        bytes32 resultHash,
        address leader,
        address[] calldata verifiers,
        uint8 confirmCount,
        uint8 rejectCount,
        uint8 aggregatedConfidence,
        bytes32 modelId
    ) external onlyICL {
        require(uint256(confirmCount) + rejectCount == verifiers.length, "counts do not add up");
        require(aggregatedConfidence <= PERCENT, "more than 100 %");
        InferenceResult storage result = _open(taskId, leader, verifiers, modelId);
        result.status = Status.Accepted;
        result.resultHash = resultHash;
        result.confirmCount = confirmCount;
        result.rejectCount = rejectCount;
        result.aggregatedConfidence = aggregatedConfidence;
        emit ResultCommitted(taskId, resultHash, leader, confirmCount, aggregatedConfidence);
    }

    function commitRejection(
        bytes32 taskId,
        address leader,
        address[] calldata verifiers,
        bytes32 modelId,
        string calldata reason
    ) external onlyICL {
        InferenceResult storage result = _open(taskId, leader, verifiers, modelId);
        result.status = Status.Rejected;
        result.rejectCount = uint8(verifiers.length);
        emit ResultRejected(taskId, leader, reason);
    }

    function registerDeveloper(bytes32 taskId, address developer) external onlyICL {
        require(developer != address(0), "no developer");
        developerByTask[taskId] = developer;
    }

    function submitDispute(bytes32 taskId, bytes32 evidenceHash, string calldata evidenceURI) external {
        InferenceResult storage result = results[taskId];
        require(result.status == Status.Accepted, "not disputable");
        require(block.timestamp <= result.disputeDeadline, "too late");
        require(msg.sender == developerByTask[taskId], "only the task's developer");
        result.status = Status.Disputed;
        Dispute storage dispute = disputes[taskId];
        dispute.evidenceHash = evidenceHash;
        dispute.evidenceURI = evidenceURI;
        dispute.filedBy = msg.sender;
        dispute.filedAt = block.timestamp;
        emit DisputeSubmitted(taskId, msg.sender, evidenceHash);
    }

    function resolveDispute(bytes32 taskId, bool upheld, uint8 verdict) external onlyICL {
        InferenceResult storage result = results[taskId];
        require(result.status == Status.Disputed, "not disputed");
        require(verdict <= PERCENT, "more than 100 %");
        result.status = Status.Settled;
        Dispute storage dispute = disputes[taskId];
        dispute.resolved = true;
        dispute.upheld = upheld;
        dispute.verdict = verdict;
        emit DisputeResolved(taskId, upheld, verdict);
    }

    function getResult(bytes32 taskId) external view returns (InferenceResult memory) {
        require(taskExists(taskId), "no such task");
        return results[taskId];
    }

    function isConditionMet(bytes32 taskId, uint8 minConfidence, uint8 minQuorum) external view returns (bool) {
        InferenceResult storage result = results[taskId];
        return result.status == Status.Accepted && result.aggregatedConfidence >= minConfidence
            && uint256(result.confirmCount) + result.rejectCount >= minQuorum;
    }

    function taskExists(bytes32 taskId) public view returns (bool) {
        return results[taskId].status != Status.Pending;
    }

    function _open(bytes32 taskId, address leader, address[] calldata verifiers, bytes32 modelId)
        private
        returns (InferenceResult storage result)
    {
        require(!taskExists(taskId), "task exists");
        require(leader != address(0), "no leader");
        result = results[taskId];
        result.taskId = taskId;
        result.leaderAddress = leader;
        result.verifierAddresses = verifiers;
        result.modelId = modelId;
        result.committedAt = block.timestamp;
        result.disputeDeadline = block.timestamp + DISPUTE_WINDOW;
    }
}
