/** The rule that nothing is promised to be kept within something that is deleted earlier. */
import type { Rule } from "./findings.ts";

export const sealedAnswers: Rule = ({ values, faulty }, { warning }) => {
  if (faulty("BLF_SEALED_ANSWER_HOURS") || faulty("BLF_JOB_RECORD_DAYS")) return;
  const recordHours = values.BLF_JOB_RECORD_DAYS * 24;
  if (values.BLF_SEALED_ANSWER_HOURS <= recordHours) return;
  warning(
    "BLF_SEALED_ANSWER_HOURS",
    "conflict",
    `BLF_SEALED_ANSWER_HOURS (${values.BLF_SEALED_ANSWER_HOURS}) outlasts the job's record: the answer goes with it after ${recordHours} hours.`,
    "Lower BLF_SEALED_ANSWER_HOURS, or raise BLF_JOB_RECORD_DAYS.",
  );
};
