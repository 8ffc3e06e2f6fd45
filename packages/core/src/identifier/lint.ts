/** What draft-ietf-wimse-identifier-03 alone finds wrong; `ok` when the loose rules accept the text. */
export type LooseFinding =
  | "ok"
  | "not_an_identifier"
  | "unsupported_scheme"
  | "has_query"
  | "has_fragment"
  | "has_user_info"
  | "has_port"
  | "empty_trust_domain"
  | "invalid_trust_domain_char"
  | "empty_path_segment"
  | "dot_segment"
  | "bad_percent_encoding"
  | "non_normalized_percent_encoding"
  | "invalid_path_char";

const UNRESERVED = /^[A-Za-z0-9._~-]$/;
const PCHARS = /^[A-Za-z0-9._~!$&'()*+,;=:@%-]+$/;

function percentFinding(segment: string): LooseFinding {
  for (const [, digits] of segment.matchAll(/%(.{0,2})/g)) {
    if (digits === undefined || !/^[0-9A-Fa-f]{2}$/.test(digits)) return "bad_percent_encoding";
    const isNormal =
      digits === digits.toUpperCase() &&
      !UNRESERVED.test(String.fromCharCode(Number.parseInt(digits, 16)));
    if (!isNormal) return "non_normalized_percent_encoding";
  }
  return "ok";
}

function pathFinding(scheme: string, path: string): LooseFinding {
  for (const segment of path === "" ? [] : path.slice(1).split("/")) {
    if (segment === "") return "empty_path_segment";
    if (segment === "." || segment === "..") return "dot_segment";
    const allowed = scheme === "spiffe" ? /^[A-Za-z0-9._-]+$/ : PCHARS;
    if (!allowed.test(segment)) return "invalid_path_char";
    const finding = percentFinding(segment);
    if (finding !== "ok") return finding;
  }
  return "ok";
}

/**
 * Judges a text by the published -03 rules, which also allow a bare origin, sub-delimiters and `%2F`. For tools
 * that explain why an identifier is refused; no credential is ever judged by it.
 */
export function lintIdentifier03(text: string): LooseFinding {
  const [, scheme, rest] = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/(.*)$/s.exec(text) ?? [];
  if (scheme === undefined || rest === undefined || text.length > 2048) return "not_an_identifier";
  if (scheme !== "spiffe" && scheme !== "wimse") return "unsupported_scheme";
  if (rest.includes("#")) return "has_fragment";
  if (rest.includes("?")) return "has_query";
  const slash = rest.indexOf("/");
  const authority = slash < 0 ? rest : rest.slice(0, slash);
  if (authority === "") return "empty_trust_domain";
  if (authority.includes("@")) return "has_user_info";
  if (authority.includes(":")) return "has_port";
  if (!/^[a-z0-9._-]{1,255}$/.test(authority)) return "invalid_trust_domain_char";
  return pathFinding(scheme, slash < 0 ? "" : rest.slice(slash));
}
