/** Generated from migrations/ by `npm run db:generate`; do not edit. */

export const MIGRATIONS: readonly { readonly name: string; readonly statements: readonly string[] }[] = [
  {
    name: "0000_history.sql",
    statements: [
      "CREATE TABLE `assignments` (\n\t`node` text NOT NULL,\n\t`job_id` text NOT NULL,\n\t`role` text NOT NULL,\n\t`model_id` text NOT NULL,\n\t`prompt_cid` text NOT NULL,\n\t`user_address` text NOT NULL,\n\t`state` text NOT NULL,\n\t`outcome` text,\n\t`verdict` text,\n\t`output_cid` text,\n\t`leader_commitment` text,\n\t`commitment` text,\n\t`grant_tx` text,\n\t`reward_blind` text,\n\t`failure_code` text,\n\t`failure_message` text,\n\t`failure_hint` text,\n\t`failed_in` text,\n\t`offered_at` integer NOT NULL,\n\t`claimed_at` integer,\n\t`answered_at` integer,\n\t`published_at` integer,\n\t`granted_at` integer,\n\t`matched_at` integer,\n\t`submitted_at` integer,\n\t`settled_at` integer,\n\t`failed_at` integer,\n\t`deadline_at` integer NOT NULL,\n\t`version` integer NOT NULL,\n\t`updated_at` integer NOT NULL,\n\tPRIMARY KEY(`node`, `job_id`)\n)",
      "CREATE INDEX `assignments_by_time` ON `assignments` (`offered_at`)",
      "CREATE INDEX `assignments_by_state` ON `assignments` (`state`,`offered_at`)",
      "CREATE TABLE `beats` (\n\t`node` text NOT NULL,\n\t`hour` integer NOT NULL,\n\t`sent` integer NOT NULL,\n\t`failed` integer NOT NULL,\n\t`last_at` integer NOT NULL,\n\tPRIMARY KEY(`node`, `hour`)\n)",
      "CREATE TABLE `certificates` (\n\t`node` text NOT NULL,\n\t`cert_hash` text NOT NULL,\n\t`tier` integer NOT NULL,\n\t`backend` text NOT NULL,\n\t`issued_at` integer NOT NULL,\n\t`expires_at` integer NOT NULL,\n\tPRIMARY KEY(`node`, `cert_hash`)\n)",
      "CREATE TABLE `earnings` (\n\t`node` text NOT NULL,\n\t`job_id` text NOT NULL,\n\t`role` text NOT NULL,\n\t`status` text NOT NULL,\n\t`amount_blind` real,\n\t`completed_at` text,\n\t`seen_at` integer NOT NULL,\n\tPRIMARY KEY(`node`, `job_id`)\n)",
      "CREATE TABLE `events` (\n\t`id` text PRIMARY KEY NOT NULL,\n\t`node` text NOT NULL,\n\t`job_id` text,\n\t`at` integer NOT NULL,\n\t`level` text NOT NULL,\n\t`type` text NOT NULL,\n\t`fields` text NOT NULL\n)",
      "CREATE INDEX `events_by_time` ON `events` (`node`,`at`)",
      "CREATE INDEX `events_by_job` ON `events` (`job_id`)",
      "CREATE TABLE `transactions` (\n\t`node` text NOT NULL,\n\t`purpose` text NOT NULL,\n\t`job_id` text,\n\t`destination` text NOT NULL,\n\t`state` text NOT NULL,\n\t`nonce` integer,\n\t`hash` text,\n\t`gas_used` text,\n\t`fee_wei` text,\n\t`error` text,\n\t`created_at` integer NOT NULL,\n\t`updated_at` integer NOT NULL,\n\tPRIMARY KEY(`node`, `purpose`)\n)",
      "CREATE INDEX `transactions_by_time` ON `transactions` (`created_at`)",
    ],
  },
];
