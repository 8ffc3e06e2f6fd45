import { describe, expect, it } from "vitest";
import { containerPlaceOf, isWithin, parseCgroup, unitPlaceOf } from "./cgroup.ts";

const ID = "0f".repeat(32);
const USERS = "/user.slice/user-1000.slice/user@1000.service/app.slice";

describe("parseCgroup", () => {
  it.each([
    ["unified", "0::/system.slice/mailer.service\n", "/system.slice/mailer.service"],
    ["hybrid", "9:name=systemd:/a\n4:memory:/b\n0::/c\n", "/c"],
    ["the old kind only", "4:memory:/b\n", ""],
  ])("the path of %s", (_, text, path) => {
    expect(parseCgroup(text)).toBe(path);
  });
});

describe("unitPlaceOf", () => {
  const SYSTEM = [
    ["a service", "/system.slice/mailer.service", "mailer.service"],
    ["an instance", "/system.slice/system-mail.slice/mail@1.service", "mail@1.service"],
    ["a part that the service made itself", "/system.slice/mailer.service/job", "mailer.service"],
    ["a slice below a service", "/system.slice/mailer.service/a.slice/b.service", "mailer.service"],
    ["a container", "/system.slice/docker-0f.scope", "docker-0f.scope"],
  ] as const;
  it.each(SYSTEM)("%s of system.slice", (_, path, unit) => {
    expect(unitPlaceOf(`0::${path}\n`)).toEqual({ unit, path, isInSystemSlice: true });
  });

  it.each([
    ["a slice of its own", "/agents.slice/mailer.service", "mailer.service"],
    ["no slice", "/mailer.service", "mailer.service"],
    ["a slice that begins like the system's", "/system.slice.slice/a.service", "a.service"],
  ])("%s: only systemd can confirm it", (_, path, unit) => {
    expect(unitPlaceOf(`0::${path}\n`)).toEqual({ unit, path, isInSystemSlice: false });
  });

  it.each([
    ["T14: a name that a user made up in his own subtree", `${USERS}/mailer.service`],
    ["T14: the system's slice inside of a user's", `${USERS}/system.slice/mailer.service`],
    ["a unit right in a user's slice", "/user.slice/mailer.service"],
    ["T14: a made-up name below something that is no unit", "/mine/mailer.service"],
    ["T14: the same inside of system.slice", "/system.slice/mine/mailer.service"],
    ["a group that was removed", "/system.slice/mailer.service (deleted)"],
    ["outside of our own cgroup namespace", "/../system.slice/mailer.service"],
    ["a slice", "/system.slice"],
    ["the root", "/"],
    ["nothing", ""],
  ])("none: %s", (_, path) => {
    expect(unitPlaceOf(`0::${path}\n`)).toBeUndefined();
  });

  it.each([
    ["the old kind", "1:name=systemd:/system.slice/a.service\n"],
    ["the old kind beside an unused new one", "1:name=systemd:/system.slice/a.service\n0::/\n"],
    ["both kinds", "1:name=systemd:/system.slice/a.service\n0::/system.slice/a.service\n"],
    ["the new kind beside an unused old one", "1:name=systemd:/\n0::/system.slice/a.service\n"],
  ])("hybrid hosts: %s", (_, text) => {
    expect(unitPlaceOf(text)?.unit).toBe("a.service");
  });

  it.each([
    ["T14: they disagree", "1:name=systemd:/system.slice/b.service\n0::/system.slice/a.service\n"],
    ["T14: below a unit of the old kind", "1:name=systemd:/system.slice/a.service/x\n0::/\n"],
    ["another hierarchy of the old kind", "4:memory:/system.slice/a.service\n0::/\n"],
    ["a hierarchy of a like name", "4:name=systemdx:/system.slice/a.service\n0::/\n"],
  ])("hybrid hosts, none: %s", (_, text) => {
    expect(unitPlaceOf(text)).toBeUndefined();
  });
});

describe("isWithin", () => {
  it.each([
    ["/a.slice/b.service", "/a.slice/b.service", true],
    ["/a.slice/b.service/c", "/a.slice/b.service", true],
    ["/a.slice/b.service2", "/a.slice/b.service", false],
    ["/a.slice", "/a.slice/b.service", false],
    ["/a.slice/b.service", "", false],
    ["/a.slice/b.service", "/", false],
  ])("%s in %s: %s", (path, group, is) => {
    expect(isWithin(path, group)).toBe(is);
  });
});

describe("containerPlaceOf", () => {
  it.each([
    ["Docker through systemd", `/system.slice/docker-${ID}.scope`, "docker"],
    ["Docker by itself", `/docker/${ID}`, "docker"],
    ["a group that the container made", `/docker/${ID}/init`, "docker"],
    ["Podman", `/machine.slice/libpod-${ID}.scope`, "podman"],
    ["Podman, with a group inside", `/machine.slice/libpod-${ID}.scope/container`, "podman"],
  ])("%s", (_, path, rt) => {
    expect(containerPlaceOf(`0::${path}\n`)).toEqual({ rt, id: ID });
  });

  it.each([
    ["a service", "/system.slice/mailer.service"],
    ["T14: a name that a user made up", `${USERS}/docker-${ID}.scope`],
    ["T14: a name right in a user's slice", `/user.slice/docker-${ID}.scope`],
    ["T14: a name that a service made up", `/system.slice/a.service/docker-${ID}.scope`],
    ["T14: a name that a container made up", `/docker/x/docker/${ID}`],
    ["a short id", "/docker/0f0f"],
    ["a name with an id and more", `/system.slice/docker-${ID}-x.scope`],
    ["the root", "/"],
  ])("none: %s", (_, path) => {
    expect(containerPlaceOf(`0::${path}\n`)).toBeUndefined();
  });
});
