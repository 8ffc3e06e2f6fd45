import { expect, it } from "vitest";
import { WARNINGS } from "../../packages/console/src/warnings.ts";
import { POSTURE_ROWS } from "../../packages/core/src/evidence/posture.ts";
import { tierOf } from "../../packages/core/src/evidence/ar4si.ts";

it("an owner is told of each warning of the appraisal what it means and what to do", () => {
  const warned = POSTURE_ROWS.filter(
    (row) => row.then === undefined && tierOf(row.value) === "warning",
  ).map(({ reason }) => reason);
  expect(Object.keys(WARNINGS).toSorted()).toEqual([...new Set(warned)].toSorted());
  for (const [what, remedy] of Object.values(WARNINGS)) {
    expect(what).toMatch(/^[A-Z].*\.$/);
    expect(remedy).toMatch(/^[A-Z].*\.$/);
  }
});
