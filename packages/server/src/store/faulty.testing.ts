import { Refusal } from "@countersign/core";

/** How an effect fails: before it took effect, or after it did with the answer lost. */
export type Loss = "lost-before" | "lost-after";

/**
 * The same port, whose `method` fails as told for the calls that `when` names (default: the first one only).
 * The failure is a Refusal `indeterminate`, as a real adapter's would be.
 */
export function faulty<Port extends object>(
  port: Port,
  method: keyof Port & string,
  loss: Loss,
  when: (call: number) => boolean = (call) => call === 1,
): Port {
  let calls = 0;
  return new Proxy(port, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      if (name !== method)
        return (...given: unknown[]) => Reflect.apply(member, target, given) as unknown;
      return async (...given: unknown[]) => {
        calls += 1;
        const fails = when(calls);
        if (fails && loss === "lost-before") throw new Refusal("indeterminate", "lost before");
        const answer: unknown = await Reflect.apply(member, target, given);
        if (fails) throw new Refusal("indeterminate", "answer lost");
        return answer;
      };
    },
  });
}
