// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {OwnableUpgradeable} from "@openzeppelin/contracts-upgradeable/access/OwnableUpgradeable.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";

/// Who is a node, at which tier and until when. A node registers itself once and proves with `heartbeat` that it is
/// there; only the coordinator may write a new attestation. The network runs it behind a proxy, the devnet without.
contract NodeRegistry is OwnableUpgradeable, ReentrancyGuard {
    struct Node {
        address operator;
        uint8 tier;
        bytes32 attestationHash;
        uint64 registeredAt;
        uint64 lastHeartbeat;
        uint64 attestationExpires;
        bool active;
        string[] models;
        uint256 stake;
    }

    uint8 private constant HIGHEST_TIER = 2;

    mapping(address node => Node) public nodes;
    mapping(address coordinator => bool) public authorizedICL;
    uint64 public heartbeatGraceSeconds;
    uint256 public minStake;

    event NodeRegistered(address indexed node, uint8 tier, string[] models, uint256 stake);
    event NodeUpdated(address indexed node, uint8 tier, bytes32 attestationHash, uint256 expiresAt);
    event NodeRemoved(address indexed node);
    event Heartbeat(address indexed node, uint64 timestamp);
    event StakeWithdrawn(address indexed node, uint256 amount);

    modifier onlyRegistered(address node) {
        require(nodes[node].operator != address(0), "not registered");
        _;
    }

    function initialize(address owner_, address iclService) external initializer {
        __Ownable_init(owner_);
        authorizedICL[iclService] = true;
        heartbeatGraceSeconds = 11 days;
    }

    function register(uint8 tier, bytes32 attestationHash, uint64 attestationExpires, string[] calldata models)
        external
        payable
        nonReentrant
        returns (bool)
    {
        Node storage node = nodes[msg.sender];
        require(node.operator == address(0), "already registered");
        require(tier <= HIGHEST_TIER, "unknown tier");
        require(msg.value >= minStake, "less than minStake");
        node.operator = msg.sender;
        node.tier = tier;
        node.attestationHash = attestationHash;
        node.registeredAt = uint64(block.timestamp);
        node.lastHeartbeat = uint64(block.timestamp);
        node.attestationExpires = attestationExpires;
        node.active = true;
        for (uint256 i = 0; i < models.length; i++) node.models.push(models[i]);
        node.stake = msg.value;
        emit NodeRegistered(msg.sender, tier, models, msg.value);
        return true;
    }

    function heartbeat() external onlyRegistered(msg.sender) {
        Node storage node = nodes[msg.sender];
        node.lastHeartbeat = uint64(block.timestamp);
        node.active = _isAlive(node);
        emit Heartbeat(msg.sender, uint64(block.timestamp));
    }

    function updateAttestation(address node, bytes32 attestationHash, uint8 tier, uint64 expiresAt)
        external
        onlyRegistered(node)
    {
        require(authorizedICL[msg.sender] || msg.sender == owner(), "only the coordinator");
        Node storage entry = nodes[node];
        entry.attestationHash = attestationHash;
        entry.tier = tier;
        entry.attestationExpires = expiresAt;
        entry.active = _isAlive(entry);
        emit NodeUpdated(node, tier, attestationHash, expiresAt);
    }

    /// Gives the registration's ether back to a node that has fallen silent or lost its attestation, and removes it from
    /// the active ones. It stays registered.
    function withdrawStake() external nonReentrant onlyRegistered(msg.sender) {
        Node storage node = nodes[msg.sender];
        require(!_isAlive(node), "still active");
        uint256 amount = node.stake;
        node.stake = 0;
        node.active = false;
        emit NodeRemoved(msg.sender);
        emit StakeWithdrawn(msg.sender, amount);
        (bool sent,) = msg.sender.call{value: amount}("");
        require(sent, "transfer failed");
    }

    function setAuthorizedICL(address addr, bool authorized) external onlyOwner {
        authorizedICL[addr] = authorized;
    }

    function setHeartbeatGrace(uint64 seconds_) external onlyOwner {
        heartbeatGraceSeconds = seconds_;
    }

    function setMinStake(uint256 amount) external onlyOwner {
        minStake = amount;
    }

    function getNode(address node) external view returns (Node memory) {
        return nodes[node];
    }

    function isActive(address node) external view returns (bool) {
        return _isAlive(nodes[node]);
    }

    function isAuthorizedICL(address addr) external view returns (bool) {
        return authorizedICL[addr];
    }

    /// Registered, attested, and heard of within the grace.
    function _isAlive(Node storage node) private view returns (bool) {
        return node.operator != address(0) && block.timestamp <= node.attestationExpires
            && block.timestamp <= uint256(node.lastHeartbeat) + heartbeatGraceSeconds;
    }
}
