/** How long the node keeps what it no longer works with: history, records of finished jobs, sealed answers. */
import { defaulted, textTo } from "./setting.ts";
import { readInteger } from "./text.ts";

export const retentionShape = {
  BLF_HISTORY_DAYS: defaulted(textTo(readInteger(1, 3650)), "90", {
    description:
      "Days that the history in D1 goes back, 1 to 3650: older rows are deleted a few at a time, every hour. Jobs that are not finished and transactions without a receipt are never deleted.",
    fix: "Set BLF_HISTORY_DAYS to a number from 1 to 3650.",
  }),
  BLF_JOB_RECORD_DAYS: defaulted(textTo(readInteger(1, 365)), "7", {
    description:
      "Days after its end that a job's own record stays with the node, 1 to 365. After that only the history knows the job.",
    fix: "Set BLF_JOB_RECORD_DAYS to a number from 1 to 365.",
  }),
  BLF_SEALED_ANSWER_HOURS: defaulted(textTo(readInteger(0, 720)), "0", {
    description:
      "Hours after a job's end that a leader keeps the answer's ciphertext, 0 to 720; 0 deletes it at the end. The key to it is deleted at the end in any case.",
    fix: "Set BLF_SEALED_ANSWER_HOURS to a number from 0 to 720.",
  }),
};
