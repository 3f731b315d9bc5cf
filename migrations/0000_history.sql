CREATE TABLE `assignments` (
	`node` text NOT NULL,
	`job_id` text NOT NULL,
	`role` text NOT NULL,
	`model_id` text NOT NULL,
	`prompt_cid` text NOT NULL,
	`user_address` text NOT NULL,
	`state` text NOT NULL,
	`outcome` text,
	`verdict` text,
	`output_cid` text,
	`leader_commitment` text,
	`commitment` text,
	`grant_tx` text,
	`reward_blind` text,
	`failure_code` text,
	`failure_message` text,
	`failure_hint` text,
	`failed_in` text,
	`offered_at` integer NOT NULL,
	`claimed_at` integer,
	`answered_at` integer,
	`published_at` integer,
	`granted_at` integer,
	`matched_at` integer,
	`submitted_at` integer,
	`settled_at` integer,
	`failed_at` integer,
	`deadline_at` integer NOT NULL,
	`version` integer NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`node`, `job_id`)
);
--> statement-breakpoint
CREATE INDEX `assignments_by_time` ON `assignments` (`offered_at`);--> statement-breakpoint
CREATE INDEX `assignments_by_state` ON `assignments` (`state`,`offered_at`);--> statement-breakpoint
CREATE TABLE `beats` (
	`node` text NOT NULL,
	`hour` integer NOT NULL,
	`sent` integer NOT NULL,
	`failed` integer NOT NULL,
	`last_at` integer NOT NULL,
	PRIMARY KEY(`node`, `hour`)
);
--> statement-breakpoint
CREATE TABLE `certificates` (
	`node` text NOT NULL,
	`cert_hash` text NOT NULL,
	`tier` integer NOT NULL,
	`backend` text NOT NULL,
	`issued_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	PRIMARY KEY(`node`, `cert_hash`)
);
--> statement-breakpoint
CREATE TABLE `earnings` (
	`node` text NOT NULL,
	`job_id` text NOT NULL,
	`role` text NOT NULL,
	`status` text NOT NULL,
	`amount_blind` real,
	`completed_at` text,
	`seen_at` integer NOT NULL,
	PRIMARY KEY(`node`, `job_id`)
);
--> statement-breakpoint
CREATE TABLE `events` (
	`id` text PRIMARY KEY NOT NULL,
	`node` text NOT NULL,
	`job_id` text,
	`at` integer NOT NULL,
	`level` text NOT NULL,
	`type` text NOT NULL,
	`fields` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `events_by_time` ON `events` (`node`,`at`);--> statement-breakpoint
CREATE INDEX `events_by_job` ON `events` (`job_id`);--> statement-breakpoint
CREATE TABLE `transactions` (
	`node` text NOT NULL,
	`purpose` text NOT NULL,
	`job_id` text,
	`destination` text NOT NULL,
	`state` text NOT NULL,
	`nonce` integer,
	`hash` text,
	`gas_used` text,
	`fee_wei` text,
	`error` text,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`node`, `purpose`)
);
--> statement-breakpoint
CREATE INDEX `transactions_by_time` ON `transactions` (`created_at`);