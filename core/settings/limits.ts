/** What the node takes on: roles, jobs at a time, stake, and how it spends its idle time. */
import { role } from "../icl/schema.ts";
import { defaulted, textTo } from "./setting.ts";
import { readChoices, readFlag, readInteger } from "./text.ts";

export const limitsShape = {
  BLF_ROLES: defaulted(textTo(readChoices(role.options)), "leader,verifier", {
    description:
      "`leader,verifier` or one of them. An offer of the other role is left unclaimed, which costs no stake but wastes a user's request.",
    fix: "Set BLF_ROLES to leader,verifier, to leader or to verifier.",
  }),
  BLF_MAX_CONCURRENT_JOBS: defaulted(textTo(readInteger(1, 256)), "8", {
    description: "Jobs that a node runs at a time, 1 to 256.",
    fix: "Set BLF_MAX_CONCURRENT_JOBS to a number from 1 to 256.",
  }),
  BLF_STAKE_AMOUNT: defaulted(textTo(readInteger(1000, 1_000_000_000)), "1000", {
    description: "Whole BLIND that `staking stake` stakes, at least 1000.",
    fix: "Set BLF_STAKE_AMOUNT to a whole number of BLIND, 1000 or more.",
  }),
  BLF_SKIP_OUTPUT_KEY_STORAGE: defaulted(textTo(readFlag), "false", {
    description:
      "Leaves out the leader's transaction that makes the output key readable, and submits the handles only.",
    fix: "Set BLF_SKIP_OUTPUT_KEY_STORAGE to true or false.",
  }),
  BLF_KEY_POOL_SIZE: defaulted(textTo(readInteger(0, 64)), "4", {
    description: "Output keys proven ahead of time, 0 to 64; 0 proves each key within its job.",
    fix: "Set BLF_KEY_POOL_SIZE to a number from 0 to 64.",
  }),
  BLF_COPY_CHECK_SECONDS: defaulted(textTo(readInteger(0, 3600)), "120", {
    description:
      "How long a deployment without state of its own stays silent when the coordinator heard of its address a moment ago, so that two copies of one node never work at once, in seconds; 0 does not look.",
    fix: "Set BLF_COPY_CHECK_SECONDS to a number from 0 to 3600.",
  }),
  BLF_KNOWN_CHECK_SECONDS: defaulted(textTo(readInteger(10, 3600)), "120", {
    description: "Seconds between two looks at whether the coordinator still knows the node, 10 to 3600.",
    fix: "Set BLF_KNOWN_CHECK_SECONDS to a number from 10 to 3600.",
  }),
};
