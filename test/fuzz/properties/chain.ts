/** RPC nodes and CoFHE services: their answers and errors, whatever they hold, end in a value or a NodeError of few words. */
import fc from "fast-check";
import { createPublicClient, custom, type Hex } from "viem";
import { ARBITRUM_SEPOLIA } from "../../../core/chain/addresses.ts";
import { toChainError } from "../../../core/chain/errors.ts";
import { readNodeView } from "../../../core/chain/reads.ts";
import { type ChainClient, createChainClient } from "../../../core/chain/rpc.ts";
import { broadcast, nextNonce, prepare, receiptOf } from "../../../core/chain/transaction.ts";
import { toCofheError } from "../../../core/cofhe/errors.ts";
import { Secret } from "../../../core/secret.ts";
import { localSigner } from "../../../core/signer.ts";
import { mutatedJson, mutatedText } from "../mutate.ts";
import { CANARY, came, must, property } from "../property.ts";

const CODES = [
  "rpc-unavailable",
  "transaction-reverted",
  "transaction-refused",
  "insufficient-funds",
  "gas-price",
  "settings",
];
const NODE = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A";
const HASH: Hex = `0x${"ab".repeat(32)}`;
const { chain } = createChainClient({ rpcUrls: ["https://rpc.test/SWALLOWED"], chainId: ARBITRUM_SEPOLIA });
const SIGNER = localSigner(new Secret<Hex>(`0x${"11".repeat(32)}`));

const BLOCK = { number: "0x10", hash: HASH, baseFeePerGas: "0x5f5e100", timestamp: "0x6553f100", transactions: [] };
const TRANSACTION = {
  hash: HASH,
  from: NODE,
  to: NODE,
  input: "0x",
  value: "0x0",
  gas: "0x5208",
  nonce: "0x1",
  type: "0x2",
};
const RECEIPT = {
  transactionHash: HASH,
  blockNumber: "0x10",
  blockHash: HASH,
  status: "0x1",
  type: "0x2",
  from: NODE,
  to: NODE,
  gasUsed: "0x5208",
  effectiveGasPrice: "0x5f5e100",
  cumulativeGasUsed: "0x5208",
  logs: [],
  transactionIndex: "0x0",
};
const REVERT = { code: 3, message: `execution reverted: ${CANARY}`, data: "0x08c379a0" };
const ERRORS = [
  REVERT,
  { code: -32000, message: "nonce too low" },
  { code: -32005, message: CANARY, data: { data: "0x12345678" } },
];

/** What one method answers, as text: a result or an error. */
const ANSWERS = {
  eth_getTransactionReceipt: mutatedJson([RECEIPT, { ...RECEIPT, status: "0x0" }, null]),
  eth_getTransactionByHash: mutatedJson([TRANSACTION]),
  eth_call: mutatedJson([`0x${"00".repeat(31)}01`, `0x${"00".repeat(320)}`, "0x"]),
  eth_estimateGas: mutatedJson(["0x5208", "0x0"]),
  eth_getBlockByNumber: mutatedJson([BLOCK]),
  eth_maxPriorityFeePerGas: mutatedJson(["0x0", "0x3b9aca00"]),
  eth_getTransactionCount: mutatedJson(["0x7"]),
  eth_getBalance: mutatedJson(["0xde0b6b3a7640000"]),
  eth_sendRawTransaction: mutatedJson([HASH]),
};
type Method = keyof typeof ANSWERS;
type Node = Record<Method, string> & { failing: Method | null; error: string };
const node: fc.Arbitrary<Node> = fc.record({
  ...ANSWERS,
  failing: fc.option(fc.constantFrom(...(Object.keys(ANSWERS) as Method[]))),
  error: mutatedJson(ERRORS),
});

/** A client of that RPC node alone, which is asked once a question. */
function clientOf(one: Node): ChainClient {
  const request = async ({ method }: { method: string }): Promise<unknown> => {
    if (method === one.failing) throw Object.assign(new Error(CANARY), asObject(parsed(one.error)));
    return method in one ? parsed(one[method as Method]) : null;
  };
  return createPublicClient({
    chain,
    transport: custom({ request }, { retryCount: 0 }),
    cacheTime: 0,
    ccipRead: false,
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const asObject = (value: unknown) => (typeof value === "object" && value !== null ? value : {});

const CALL = { purpose: "a call", to: NODE, data: "0x12345678" } as const;
const isHash = (hash: string) => /^0x[0-9a-f]{64}$/.test(hash);

const rpc = [
  property("reads a receipt, or says that it cannot", 4_000, node, async (one) => {
    const { value } = await came(CODES, () => receiptOf(clientOf(one), HASH));
    if (value === undefined || value.state === "pending") return;
    const { feeWei, gasUsed, blockNumber } = value;
    must(
      [feeWei, gasUsed, blockNumber].every((amount) => typeof amount === "bigint" && amount >= 0n),
      "amounts are amounts",
    );
  }),
  property(
    "prepares a transaction within its cap, or says why not",
    2_400,
    fc.tuple(node, fc.constantFrom(undefined, 0n, 10n ** 15n)),
    async ([one, maxFeePerGasWei]) => {
      const options = { client: clientOf(one), signer: SIGNER, call: CALL, nonce: 7 };
      const { value } = await came(CODES, () =>
        prepare(maxFeePerGasWei === undefined ? options : { ...options, maxFeePerGasWei }),
      );
      if (value === undefined) return;
      must(isHash(value.hash) && value.maxFeeWei >= 0n, "what is signed has a hash and a price");
      must(maxFeePerGasWei === undefined || value.maxFeePerGas <= maxFeePerGasWei, "the cap holds");
    },
  ),
  property("reads nonces, balances and contracts, or says that it cannot", 2_400, node, async (one) => {
    const { value } = await came(CODES, () => nextNonce(clientOf(one), NODE));
    must(value === undefined || (Number.isSafeInteger(value) && value >= 0), "a nonce is a number");
    const contracts = { nodeRegistry: NODE, staking: NODE, token: NODE } as const;
    const seen = await came(CODES, () => readNodeView(clientOf(one), contracts, NODE));
    must(seen.value === undefined || typeof seen.value.ethWei === "bigint", "a balance is an amount");
    await came(CODES, () => broadcast(clientOf(one), "0x02"));
  }),
];

const leaf = fc.oneof(
  fc.constantFrom<unknown>(
    CANARY,
    "0x",
    "0x08c379a0",
    3,
    -32000,
    429,
    null,
    undefined,
    "TimeoutError",
    "AbortError",
    "HTTP",
  ),
  mutatedText(
    [`0x08c379a0${"00".repeat(31)}20${"00".repeat(31)}04${"41".repeat(4)}`, "0x4e487b71"],
    ["00", "ff", "0", "x"],
  ),
);
/** Errors as other people's code throws them: any of the fields that are read, with anything in them, causes in a ring. */
const thrown = fc
  .tuple(
    fc.array(
      fc.record(
        {
          name: leaf,
          code: leaf,
          status: leaf,
          details: leaf,
          message: leaf,
          data: fc.oneof(leaf, fc.record({ data: leaf })),
          context: fc.oneof(leaf, fc.record({ status: leaf })),
        },
        { requiredKeys: [] },
      ),
      { minLength: 1, maxLength: 5 },
    ),
    fc.boolean(),
  )
  .map(([fields, ring]) => {
    const errors = fields.map((each) => Object.assign(new Error(CANARY), each));
    for (const [index, error] of errors.entries()) {
      Object.assign(error, { cause: errors[index + 1] ?? (ring ? errors[0] : undefined) });
    }
    return errors[0];
  });

const foreign = [
  property(
    "calls any error of the chain's by one of its own names, without its words",
    4_000,
    fc.oneof({ weight: 6, arbitrary: thrown }, fc.anything()),
    async (error) => {
      const { error: told } = await came(CODES, () => Promise.reject(toChainError(error, "asking")));
      must(told !== undefined && told.message.length < 250, "a message is short");
    },
  ),
  property(
    "calls any error of CoFHE's by one of its own names, without its words",
    3_000,
    fc.oneof({ weight: 6, arbitrary: thrown }, fc.anything()),
    async (error) => {
      const step = "decrypting a key half";
      const { error: told } = await came(["cofhe-refused", "cofhe-unavailable"], () =>
        Promise.reject(toCofheError(error, step)),
      );
      must(told !== undefined && told.message.length < 250, "a message is short");
    },
  ),
];

export const chainAnswers = [...rpc, ...foreign];
