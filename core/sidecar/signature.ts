/**
 * What the signatures of requests and of responses have in common (RFC 9421, Ed25519): exactly one signature, over at
 * least the components asked for, with all parameters asked for, under a known key. What is missing or empty is refused
 * before anything is parsed. Times are not judged here: only whoever proved to hold a key is told about them.
 */
import {
  type ComponentDescriptor,
  componentIdentity,
  isSignatureError,
  type MessageDescriptor,
  type SignatureComponent,
  SignatureErrorCode,
  type UntrustedSignatureCandidate,
  type VerifiedSignature,
  verifySignature,
} from "http-message-sig";
import { ok, type Result, refuse } from "../result.ts";
import type { VerifyingKey } from "./keys.ts";
import { TAG } from "./protocol.ts";

/**
 * Why a message is not taken, in the order in which it is found out: no signature at all, an empty one, one that cannot be
 * read, several, another algorithm, a component or a parameter that is not there, another tag, an unknown key, a signature
 * that does not fit. From there on the other side is known to hold the key: too old or too new, content that was
 * exchanged, a nonce that was used before.
 */
export type SignatureFault =
  | "missing"
  | "empty"
  | "malformed"
  | "several"
  | "algorithm"
  | "component"
  | "parameter"
  | "tag"
  | "key"
  | "forged"
  | "stale"
  | "digest"
  | "replayed";

export interface Demands {
  components: readonly SignatureComponent[];
  /** Parameters that must be there, each a text or, where its name is one of a time, whole seconds. */
  parameters: readonly string[];
  keys: readonly VerifyingKey[];
}

/** The `Signature` and `Signature-Input` of the message must be among its fields. */
export async function verify(
  message: MessageDescriptor,
  demands: Demands,
): Promise<Result<VerifiedSignature<VerifyingKey>, SignatureFault>> {
  const absent = absence(message);
  if (absent !== null) return refuse(absent);
  try {
    const policy = {
      algorithms: ["ed25519"],
      // Checked in `keyFor`, which can say which one it was.
      requiredComponents: [],
      requiredParameters: [],
      // Neither time decides before the signature does.
      now: 0,
      clockSkew: Number.MAX_SAFE_INTEGER,
    };
    const resolveVerifier = (candidate: UntrustedSignatureCandidate) => keyFor(candidate, demands);
    return ok(await verifySignature(message, { policy, resolveVerifier }));
  } catch (error) {
    return refuse(faultOf(error));
  }
}

/** Both fields, each with something in it. */
function absence({ fields }: MessageDescriptor): SignatureFault | null {
  const values = ["signature", "signature-input"].map((name) => fields.filter((field) => field.name === name));
  if (values.some((found) => found.length === 0)) return "missing";
  // `sig=::` is a signature of no bytes: whoever took it for one would let everybody in.
  const empty = values.some((found) => found.every(({ value }) => /^([\w*.-]+=)?(::|\(\))?$/.test(value.trim())));
  return empty ? "empty" : null;
}

class Refused extends Error {
  readonly fault: SignatureFault;

  constructor(fault: SignatureFault) {
    super(fault);
    this.fault = fault;
  }
}

function keyFor(candidate: UntrustedSignatureCandidate, { components, parameters, keys }: Demands): VerifyingKey {
  const covered = new Set(candidate.components.map((component: ComponentDescriptor) => componentIdentity(component)));
  if (!components.every((component) => covered.has(componentIdentity(component)))) throw new Refused("component");
  // Empty texts are as good as none; types are the library's to check.
  const present = (name: string) => candidate.parameters[name] !== undefined && candidate.parameters[name] !== "";
  if (!parameters.every(present)) throw new Refused("parameter");
  if (candidate.parameters.tag !== TAG) throw new Refused("tag");
  const key = keys.find(({ id }) => id === candidate.parameters.keyid);
  if (key === undefined) throw new Refused("key");
  return key;
}

function faultOf(error: unknown): SignatureFault {
  if (!isSignatureError(error)) throw error;
  switch (error.code) {
    case SignatureErrorCode.ResolverFailed:
      if (error.cause instanceof Refused) return error.cause.fault;
      throw error;
    case SignatureErrorCode.VerificationFailed:
      return "forged";
    case SignatureErrorCode.MissingField:
    case SignatureErrorCode.InvalidComponent:
    case SignatureErrorCode.DuplicateComponent:
      return "component";
    case SignatureErrorCode.LabelRequired:
      return "several";
    case SignatureErrorCode.PolicyViolation:
    case SignatureErrorCode.AlgorithmMismatch:
      return "algorithm";
    default:
      return "malformed";
  }
}
