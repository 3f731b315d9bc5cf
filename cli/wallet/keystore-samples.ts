/**
 * Keystore files that others wrote, with what they hold: the two test vectors of the Web3 Secret Storage definition, files
 * of geth (one with a key whose leading zero was left out), and one of Python's eth-account, as the original writes them.
 */
export interface KeystoreSample {
  from: string;
  password: string;
  privateKey: `0x${string}`;
  text: string;
}

const scrypt = (n: number, r: number, p: number, salt: string) => ({
  kdf: "scrypt",
  kdfparams: { dklen: 32, n, r, p, salt },
});

function sample(from: string, password: string, privateKey: string, crypto: object, address?: string): KeystoreSample {
  const { iv, ...rest } = { iv: "", ...crypto };
  const file = { address, crypto: { cipher: "aes-128-ctr", cipherparams: { iv }, ...rest }, id: "1", version: 3 };
  return { from, password, privateKey: `0x${privateKey.padStart(64, "0")}`, text: JSON.stringify(file) };
}

const DEFINITION_KEY = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";

export const ETH_ACCOUNT_SAMPLE: KeystoreSample = sample(
  "eth-account (scrypt, r=1, p=8, a salt of 16 bytes)",
  "password1234",
  "128538fd0b0e53d52ac4c4dcd66badaec5c83eacd4d31709979dca31f5e761c7",
  {
    iv: "8cab4ff1613bb10cec166c69226e3ce5",
    ciphertext: "78490968f75a8698660da5993395d2f561f41cd008498b349fd1bb4124eb3b72",
    ...scrypt(262_144, 1, 8, "198fed004cf1d8cfd3d0ef8b2f99e058"),
    mac: "511ca8716f86a1853370d868478f57bdd19058a9464558750ff304e12a2cfd56",
  },
  "e6ff69353a16c9a5b139c79f6499d8ad74bfeceb",
);

export const PBKDF2_SAMPLE: KeystoreSample = sample("the definition (PBKDF2)", "testpassword", DEFINITION_KEY, {
  iv: "6087dab2f9fdbbfaddc31a909735c1e6",
  ciphertext: "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
  kdf: "pbkdf2",
  kdfparams: {
    c: 262_144,
    dklen: 32,
    prf: "hmac-sha256",
    salt: "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
  },
  mac: "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
});

export const KEYSTORE_SAMPLES: readonly KeystoreSample[] = [
  PBKDF2_SAMPLE,
  sample("the definition (scrypt)", "testpassword", DEFINITION_KEY, {
    iv: "83dbcc02d8ccb40e466191a123791e0e",
    ciphertext: "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
    ...scrypt(262_144, 1, 8, "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19"),
    mac: "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
  }),
  sample(
    "geth (a key of 31 bytes, the cheapest cost)",
    "foo",
    "fa7b3db73dc7dfdf8c5fbdb796d741e4488628c41fc4febd9160a866ba0f35",
    {
      iv: "e0c41130a323adc1446fc82f724bca2f",
      ciphertext: "9517cd5bdbe69076f9bf5057248c6c050141e970efa36ce53692d5d59a3984",
      ...scrypt(2, 8, 1, "711f816911c92d649fb4c84b047915679933555030b3552c1212609b38208c63"),
      mac: "d5e116151c6aa71470e67a7d42c9620c75c4d23229847dcc127794f0732b0db5",
    },
  ),
  ETH_ACCOUNT_SAMPLE,
];
