/** The service or scope that a process belongs to, as far as its cgroup tells. */
export interface UnitPlace {
  readonly unit: string;
  /** Of its cgroup, in the hierarchy that systemd keeps. */
  readonly path: string;
  /** Whether the name alone says it: in `system.slice` nobody but root makes groups. Elsewhere systemd must say so. */
  readonly isInSystemSlice: boolean;
}

/** A container's id, and the runtime whose way of naming cgroups it follows. */
export interface ContainerPlace {
  readonly rt: "docker" | "podman";
  readonly id: string;
}

/** The path of the unified hierarchy: the line that begins `0::`, also on hosts that have both kinds. */
export function parseCgroup(text: string): string {
  const line = text.split("\n").find((one) => one.startsWith("0::"));
  return line?.slice(3) ?? "";
}

/**
 * The parts of the path in the hierarchy that systemd keeps. Hosts of the hybrid kind have it twice, and both must
 * agree. In the old kind alone (`name=systemd`) a user may move any process of his into a group that he was given, so
 * a group that belongs to a unit without being the unit's own counts for nothing there.
 */
function systemdParts(text: string): readonly string[] {
  const unified = parseCgroup(text);
  const named = /^[0-9]+:name=systemd:(.*)$/m.exec(text)?.[1] ?? "";
  const isUsed = (path: string): boolean => path !== "" && path !== "/";
  if (isUsed(unified)) return isUsed(named) && named !== unified ? [] : unified.split("/").slice(1);
  const parts = named.split("/").slice(1);
  const at = parts.findIndex((part) => !part.endsWith(".slice"));
  return at === parts.length - 1 ? parts : [];
}

/**
 * The system manager's unit: the first part that is not a slice. Deeper parts may have been made, under any name, by
 * the user to whom systemd gave that subtree; the unified hierarchy keeps strangers out of it, so who is below a unit
 * belongs to it. What is in a user's slice is the user's affair (threat T14).
 */
export function unitPlaceOf(text: string): UnitPlace | undefined {
  const parts = systemdParts(text);
  const [top] = parts;
  const unit = parts.find((part) => !part.endsWith(".slice"));
  if (unit === undefined || !/^[^/]+\.(?:service|scope)$/.test(unit) || top === "user.slice")
    return undefined;
  return { unit, path: `/${parts.join("/")}`, isInSystemSlice: top === "system.slice" };
}

/** Whether a cgroup is the other one or lies below it. */
export function isWithin(path: string, group: string): boolean {
  return group.startsWith("/") && group !== "/" && (path === group || path.startsWith(`${group}/`));
}

const SCOPE = /^(docker|libpod)-([0-9a-f]{64})\.scope$/;
const ID = /^[0-9a-f]{64}$/;

/**
 * The container, where the runtime of the host made its group: through systemd in a scope, or by itself at the top.
 * Never in the subtree of a service or of a user, where others make groups.
 */
export function containerPlaceOf(text: string): ContainerPlace | undefined {
  const parts = systemdParts(text);
  const [top, second] = parts;
  if (top === "docker" && second !== undefined && ID.test(second))
    return { rt: "docker", id: second };
  if (top === "user.slice") return undefined;
  const found = SCOPE.exec(parts.find((part) => !part.endsWith(".slice")) ?? "");
  const [, rt, id] = found ?? [];
  return id === undefined ? undefined : { rt: rt === "docker" ? "docker" : "podman", id };
}
