// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";

/// A node's BLIND at stake: put in at least MIN_STAKE at a time, taken out whole after UNBONDING_PERIOD, and lost whole
/// to the owner at MAX_CONSECUTIVE_FAILURES failures in a row. Tokens that are unbonding are out of a slasher's reach.
contract BlindferenceStaking is Ownable, ReentrancyGuard {
    using SafeERC20 for IERC20;

    struct StakeInfo {
        uint256 staked;
        uint256 unbonding;
        uint256 unbondingAvailableAt;
        uint256 consecutiveFailures;
        bool active;
    }

    uint256 public constant MIN_STAKE = 1000e18;
    uint256 public constant UNBONDING_PERIOD = 96 hours;
    uint256 public constant MAX_CONSECUTIVE_FAILURES = 3;

    IERC20 private immutable _token;
    mapping(address node => StakeInfo) public stakes;
    mapping(address slasher => bool) public authorizedSlasher;
    uint256 public totalStaked;

    event Staked(address indexed node, uint256 amount, uint256 totalStaked);
    event UnstakeInitiated(address indexed node, uint256 amount, uint256 availableAt);
    event UnstakeCompleted(address indexed node, uint256 amount);
    event Slashed(address indexed node, uint256 amount, string reason);
    event SlasherSet(address indexed slasher, bool authorized);
    event ConsecutiveFailuresUpdated(address indexed node, uint256 count);

    modifier onlySlasher() {
        require(authorizedSlasher[msg.sender] || msg.sender == owner(), "not a slasher");
        _;
    }

    constructor(IERC20 token, address owner_) Ownable(owner_) {
        _token = token;
    }

    function stake(uint256 amount) external nonReentrant {
        require(amount >= MIN_STAKE, "less than MIN_STAKE");
        StakeInfo storage info = stakes[msg.sender];
        info.staked += amount;
        info.active = true;
        totalStaked += amount;
        emit Staked(msg.sender, amount, info.staked);
        _token.safeTransferFrom(msg.sender, address(this), amount);
    }

    function initiateUnstake() external nonReentrant {
        StakeInfo storage info = stakes[msg.sender];
        require(info.staked != 0, "nothing staked");
        require(info.unbonding == 0, "already unbonding");
        uint256 amount = info.staked;
        info.staked = 0;
        info.active = false;
        info.unbonding = amount;
        info.unbondingAvailableAt = block.timestamp + UNBONDING_PERIOD;
        totalStaked -= amount;
        emit UnstakeInitiated(msg.sender, amount, info.unbondingAvailableAt);
    }

    function completeUnstake() external nonReentrant {
        StakeInfo storage info = stakes[msg.sender];
        require(info.unbonding != 0, "nothing unbonding");
        require(canCompleteUnstake(msg.sender), "still unbonding");
        uint256 amount = info.unbonding;
        info.unbonding = 0;
        info.unbondingAvailableAt = 0;
        emit UnstakeCompleted(msg.sender, amount);
        _token.safeTransfer(msg.sender, amount);
    }

    /// Counts one failure. A node with nothing at stake has nothing to count.
    function recordFailure(address node) external onlySlasher {
        StakeInfo storage info = stakes[node];
        if (info.staked == 0) return;
        uint256 failures = info.consecutiveFailures + 1;
        if (failures < MAX_CONSECUTIVE_FAILURES) {
            info.consecutiveFailures = failures;
            emit ConsecutiveFailuresUpdated(node, failures);
        } else {
            _take(node, info.staked, "consecutive failures");
            emit ConsecutiveFailuresUpdated(node, 0);
        }
    }

    function resetFailures(address node) external onlySlasher {
        stakes[node].consecutiveFailures = 0;
        emit ConsecutiveFailuresUpdated(node, 0);
    }

    /// Takes `amount`, or what is there if that is less.
    function slash(address node, uint256 amount, string calldata reason) external onlySlasher nonReentrant {
        uint256 staked = stakes[node].staked;
        require(staked != 0, "nothing staked");
        _take(node, amount < staked ? amount : staked, reason);
    }

    function setSlasher(address slasher, bool authorized) external onlyOwner {
        authorizedSlasher[slasher] = authorized;
        emit SlasherSet(slasher, authorized);
    }

    function blindToken() external view returns (address) {
        return address(_token);
    }

    function getStakeInfo(address node) external view returns (StakeInfo memory) {
        return stakes[node];
    }

    function isActive(address node) external view returns (bool) {
        return stakes[node].active && stakes[node].staked >= MIN_STAKE;
    }

    function canCompleteUnstake(address node) public view returns (bool) {
        StakeInfo storage info = stakes[node];
        return info.unbonding != 0 && info.unbondingAvailableAt <= block.timestamp;
    }

    function _take(address node, uint256 amount, string memory reason) private {
        StakeInfo storage info = stakes[node];
        info.staked -= amount;
        info.consecutiveFailures = 0;
        if (info.staked == 0) info.active = false;
        totalStaked -= amount;
        emit Slashed(node, amount, reason);
        _token.safeTransfer(owner(), amount);
    }
}
