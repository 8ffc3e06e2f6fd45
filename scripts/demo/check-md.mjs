// `CHECK.md` of the demo's folder. What it runs was written from the formats alone and shares no code with us.

const fenced = (command) => `\`\`\`sh\n${command.trim()}\n\`\`\``;
const python = (script) => fenced(`python3 - <<'PY'\n${script.trim()}\nPY`);

const B64 = String.raw`
import base64, hashlib, json
def b64u(text): return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
def b64(octets): return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
def sha(octets): return hashlib.sha256(octets).digest()
def read(name): return open(name, "rb").read()
def thumbprint(jwk):
    names = ("crv", "kty", "x", "y") if jwk["kty"] == "EC" else ("crv", "kty", "x")
    return b64(sha(json.dumps({n: jwk[n] for n in names}, separators=(",", ":"), sort_keys=True).encode()))
`.trim();

const JWT = String.raw`
import jwt
def opened(token, jwk, typ):
    assert jwt.get_unverified_header(token)["typ"] == typ
    no = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
    return jwt.decode(token, jwt.PyJWK(jwk).key, algorithms=["ES256", "EdDSA"], options=no)
`.trim();

const tokens = ({ said }) =>
  python(`
${B64}
${JWT}
${said}
wit = read("wit.jwt").decode().strip()
kid = jwt.get_unverified_header(wit)["kid"]
[key] = [k for k in json.load(open("jwks.json"))["keys"] if k["kid"] == kid]
token = opened(wit, key, "wit+jwt")
assert token["nbf"] <= now < token["exp"]
proof = opened(read("wpt.jwt").decode().strip(), token["cnf"]["jwk"], "wpt+jwt")
assert proof["aud"] == aud and now < proof["exp"] <= now + 60
assert proof["wth"] == b64(sha(wit.encode()))
print("token of", token["sub"], "and a proof by its key for", proof["aud"])
`);

const owner = ({ said }) =>
  python(`
${B64}
${JWT}
${said}
wit = read("wit.jwt").decode().strip()
kid = jwt.get_unverified_header(wit)["kid"]
[key] = [k for k in json.load(open("jwks.json"))["keys"] if k["kid"] == kid]
token = opened(wit, key, "wit+jwt")
claim = token["countersign_owner"]
octets = read("statement.json")
statement = json.loads(octets)
assert claim["cs"] == "sha-256:" + b64(sha(b"agent-consent/1\\0" + octets))
signer = base64.b64decode(open("allowed_signers").read().split()[3])
assert signer[-32:] == b64u(claim["jwk"]["x"])
assert thumbprint(claim["jwk"]) == claim["jkt"] == statement["owner"]["jkt"]
assert statement["kind"] == "credential" and statement["decision"] == "approve"
assert statement["agent"]["id"] == token["sub"]
grant = statement["grant"]
assert grant["nbf"] - 60 <= token["iat"] and token["exp"] <= grant["exp"]
assert token["exp"] - token["iat"] <= grant["max_ttl"] and 1 <= claim["n"] <= grant["max_issue"]
assert any(aud.startswith(l) for entry in grant["ceiling"] for l in entry["locations"])
end = json.load(open("bundle.json"))["credential"]["end"]
anchor = jwt.get_unverified_header(end)["jwk"]
endorsement = opened(end, anchor, "agent-key-endorsement+jwt")
assert thumbprint(anchor) == statement["agent"]["jkt"]
assert endorsement["cnf"]["jkt"] == thumbprint(token["cnf"]["jwk"]) and endorsement["cs"] == claim["cs"]
assert endorsement["sub"] == token["sub"] and token["exp"] <= endorsement["exp"]
print("approved by", claim["id"], "until", grant["exp"])
`);

const forms = () =>
  python(`
${B64}
import calendar
from cryptography import x509
claims = json.loads(b64u(read("wit.jwt").decode().split(".")[1]))
leaf = x509.load_pem_x509_certificate(read("wic.pem"))
names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
assert names.get_values_for_type(x509.UniformResourceIdentifier) == [claims["sub"]]
point = leaf.public_key().public_numbers()
jwk = claims["cnf"]["jwk"]
assert point.x == int.from_bytes(b64u(jwk["x"]), "big") and point.y == int.from_bytes(b64u(jwk["y"]), "big")
end = leaf.not_valid_after_utc if hasattr(leaf, "not_valid_after_utc") else leaf.not_valid_after
assert calendar.timegm(end.timetuple()) == claims["exp"]
binding = leaf.extensions.get_extension_for_oid(x509.ObjectIdentifier("1.3.6.1.4.1.32473.1.1"))
owner = claims["countersign_owner"]
for part in owner["id"].encode(), b64u(owner["jkt"]), b64u(owner["cs"].split(":")[1]):
    assert part in binding.value.value
print("certificate and token are of one agent, one key and one owner")
`);

const log = () =>
  python(`
${B64}
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
head, note = read("leaf.tlog-proof").decode().split("\\n\\n", 1)
assert note == read("checkpoint.txt").decode()
# the checkpoint: a signed note
name, key_id, key = json.load(open("trust-bundle.json"))["countersign"]["log"]["vkey"].split("+", 2)
key = base64.b64decode(key)
assert key[0] == 1 and sha(name.encode() + b"\\n" + key)[:4].hex() == key_id
text, signatures = note.split("\\n\\n", 1)
[line] = [l for l in signatures.splitlines() if l.startswith("\\u2014 " + name + " ")]
blob = base64.b64decode(line.split(" ")[2])
assert blob[:4].hex() == key_id
Ed25519PublicKey.from_public_bytes(key[1:]).verify(blob[4:], (text + "\\n").encode())
origin, size, root = text.split("\\n")[:3]
assert origin == name
# the leaf is in the tree (RFC 6962 2.1.1)
version, index, *path = head.split("\\n")
assert version == "c2sp.org/tlog-proof@v1"
part = json.load(open("bundle.json"))["credential"]
leaf = b64u(part["leaf"])
node, at, last = sha(b"\\0" + leaf), int(index.split(" ")[1]), int(size) - 1
assert at <= last
for sibling in map(base64.b64decode, path):
    assert last > 0
    if at % 2 == 1 or at == last:
        node = sha(b"\\1" + sibling + node)
        while at % 2 == 0 and at > 0: at, last = at // 2, last // 2
    else:
        node = sha(b"\\1" + node + sibling)
    at, last = at // 2, last // 2
assert last == 0 and node == base64.b64decode(root)
# the leaf is of this record, this token and this certificate
def commit(salt, payload): return b64(sha(b"countersign-commit/1\\0" + b64u(salt) + payload))
record, wit = read("record.json"), read("wit.jwt").decode().strip()
statement = sha(b"agent-consent/1\\0" + read("statement.json"))
der = x509.load_pem_x509_certificate(read("wic.pem")).public_bytes(Encoding.DER)
said = json.loads(leaf)
assert said["type"] == "credential.issued" and said["commits"] == [
    commit(read("record.salt").decode(), sha(record)),
    commit(part["salts"]["wit"], statement + sha(wit.encode())),
    commit(part["salts"]["x509"], statement + sha(der)),
]
print("entry", index.split(" ")[1], "of", origin, "which had", size, "entries")
`);

const evidence = () =>
  python(`
${B64}
${JWT}
record = json.loads(read("record.json"))
claims = json.loads(b64u(read("wit.jwt").decode().split(".")[1]))
assert record["jti"] == claims["jti"] and record["agent"] == claims["sub"]
token, proxy = read("evidence.jwt").decode().strip(), json.load(open("proxy.jwk"))
assert record["evidence"] == "sha-256:" + b64(sha(token.encode()))
assert record["proxy"]["jkt"] == thumbprint(proxy)
seen = opened(token, proxy, "eat+jwt")
assert claims["iat"] - 360 <= seen["iat"] <= claims["iat"] + 60
print("issued upon evidence of", record["proxy"]["id"])
`);

/** The owner binding as OpenSSL prints it; awk fails where the digest of the statement does not stand in it. */
const dump = () =>
  fenced(String.raw`
openssl asn1parse -in wic.pem -strparse "$(openssl asn1parse -in wic.pem |
    awk -F: '/1\.3\.6\.1\.4\.1\.32473\.1\.1/ { found = 1 } found && /OCTET STRING/ { print $1 + 0; exit }')" |
  awk -v digest="$({ printf 'agent-consent/1\0'; cat statement.json; } | openssl dgst -sha256 -r | cut -c1-64 | tr a-f A-F)" \
    '{ print } index($0, "]:" digest) { found = 1 } END { exit !found }'`);

/** Every check: what it shows, which links of ours it does in another way, and the command. */
const SECTIONS = [
  {
    title: "The certificate leads to the root",
    links: ["wic"],
    words: "",
    why: `The path is that of RFC 5280: two certificates up to a root that the service has chosen. The owner binding is an
extension that is not critical, so that a verifier that does not know it goes on, and proves the agent only.`,
    command: (of) =>
      fenced(
        `openssl verify -x509_strict -purpose sslclient -attime ${of.shellNow} -CAfile root.pem -untrusted chain.pem wic.pem`,
      ),
  },
  {
    title: "The certificate names what the owner signed",
    links: ["forms", "statement"],
    words: `The extension \`1.3.6.1.4.1.32473.1.1\` as it lies in the certificate: owner, thumbprint of his key, digest of the
statement, assurance, his public key.`,
    why: `The digest is SHA-256 over \`agent-consent/1\`, a zero octet and the statement's octets. Who takes the owner out of the
certificate, or puts another statement in, needs the issuer's key; and then the owner's signature does not fit.`,
    command: dump,
  },
  {
    title: "The owner signed the statement",
    links: ["evidence", "owner-signature", "parties", "owner-accepted"],
    words: "`statement.json` is what the owner saw and signed, byte by byte.",
    why: `\`allowed_signers\` is the service's own decision which key it takes for this owner's; the server has no say in it.
The namespace keeps signatures that were made for anything else, such as git, from being shown here. \`ssh-keygen\` says
"Good" of a security key that was not touched, too: the flags of such a key are for the service to check. Where a statement
names \`parties\`, each of the others' statements in \`sts\` is checked in the same way, and must say the same but for \`owner\`
and \`jti\`.`,
    command: () =>
      fenced(
        "ssh-keygen -Y verify -f allowed_signers -I owner -n agent-consent-v1@countersign -s statement.sshsig < statement.json",
      ),
  },
  {
    title: "The trust domain signed the token, and the agent's key the proof",
    links: ["wit"],
    words: "",
    why: `The token alone proves nothing to anybody: it counts with a proof by the key that it confirms, for this address, of
this minute.`,
    command: tokens,
  },
  {
    title: "The token stays inside what the owner signed",
    links: ["owner-claim", "audience", "owner-key", "agent", "endorsement", "grant", "ceiling"],
    words: `The token names the statement by its digest. An endorsement leads from the installation that the owner approved to the
key of this credential.`,
    why: `Without the endorsement a server could put a key of its own under a genuine approval. Without the bounds it could
stretch one. Without the audience it could take one that was given to another server.`,
    command: owner,
  },
  {
    title: "Token and certificate are two forms of one credential",
    links: ["forms"],
    words: "",
    why: `One agent, one key, one end, one owner: a form that was stripped of the owner would pass where only that form is looked
at.`,
    command: forms,
  },
  {
    title: "The issue stands in the log",
    links: ["leaf", "inclusion"],
    words:
      "The log's key signed a checkpoint; the leaf is under it; and the leaf commits to record, token and certificate.",
    why: `A server that issues in secret has no such proof to show. That it does not keep a second log for others is what
witnesses are for (\`witnessed\`); a demo has none.`,
    command: log,
  },
  {
    title: "The program was looked at before",
    links: [],
    words: "The record names the evidence, and the key of the proxy that signed it.",
    why: `A relying party does not see record and evidence; an auditor does. What the evidence says is what the proxy observed,
not a proof of what runs.`,
    command: evidence,
  },
];

const sections = (of, textOf) =>
  SECTIONS.map((section) =>
    [`## ${section.title}`, ...textOf(section), section.command(of)]
      .filter((part) => part !== "")
      .join("\n\n"),
  ).join("\n\n");

/** The page of the folder. `now`: a second at which everything was valid; `aud`: the address of the proof. */
export function checkMd({ now, aud }) {
  const of = { shellNow: now, said: `now, aud = ${now}, "${aud}"` };
  return `# Check it yourself

These files are about one credential that one agent held. The commands below verify them with OpenSSL, OpenSSH and
Python (packages \`pyjwt\` and \`cryptography\`), without any code of ours. Run them in this folder; each ends with
status 0 only if everything it checks holds.

now: ${now}
aud: ${aud}

\`now\` is a second at which token, proof and certificate were all valid, \`aud\` the address that the proof was made
for. The trust domain is a development one: it was made for this demonstration, its name ends in \`.dev.invalid\`, and
its keys were files on one machine. \`root.pem\`, \`jwks.json\`, \`trust-bundle.json\` and \`allowed_signers\` are what a
service decides to trust; everything else is shown to it.

${sections(of, ({ words }) => [words])}

## With our own program

\`countersign verify . --trust relying-party.json\` does all of this link by link.
`;
}

/** `docs/verify-without-us.md`: the same commands for any such folder, with the reason of each. */
export function verifyPage() {
  const of = {
    shellNow: `"$(sed -n 's/^now: //p' CHECK.md)"`,
    said: `now, aud = [line[5:].strip() for line in open("CHECK.md") if line[:5] in ("now: ", "aud: ")]
now = int(now)`,
  };
  const linksOf = ({ links }) =>
    links.length === 0 ? "" : `_Links:_ ${links.map((id) => `\`${id}\``).join(", ")}.`;
  return `# Verify without us

Everything that \`countersign verify\` says can be found out with programs of other people: OpenSSL, OpenSSH, and Python with
the packages \`pyjwt\` and \`cryptography\`. \`npm run demo -- --out DIR\` writes a folder about one credential, and in it
\`CHECK.md\` with the commands of this page; here each stands with its reason. Run them in such a folder: they take \`now\` and
\`aud\` from the two lines of its \`CHECK.md\`. Each ends with status 0 only if everything that it checks holds.

_Links_ are the rows of \`packages/core/src/verify/links.ts\` that make the same check in our verifier. \`development\` is a
decision of the service, and needs no command: the trust domain of a demo ends in \`.dev.invalid\`.

This page is written by \`npm run docs -- --write\` from the source of \`CHECK.md\`. A test runs its commands on the
folder of a demo, and on folders with one file altered.

${sections(of, (section) => [section.words, section.why, linksOf(section)])}

## What this does not show

That the person read what he signed; that the server has counted as the grant demands; that the program is what the evidence
says; and that there is no second log. [SECURITY.md](../SECURITY.md) says what a malicious server can still do.
`;
}
