import { h } from "./dom.ts";

const LENGTH = 2;

/** One labelled input, drawn as two boxes. */
export interface DigitsInput {
  readonly element: HTMLElement;
  readonly input: HTMLInputElement;
  /** Two digits, or fewer. */
  value(): string;
  clear(): void;
  setWrong(isWrong: boolean): void;
  /** Takes no more; what was typed stays. */
  close(): void;
}

export interface DigitsOptions {
  readonly label: string;
  /** Id of what says which digits, and what became of them. */
  readonly describedBy: string;
  readonly changed: (value: string) => void;
  /** Enter was pressed. */
  readonly entered: () => void;
}

let count = 0;

/** The boxes are a drawing: the input lies over them, unseen, and takes what a keyboard, a phone or a reader gives it. */
export function digitsInput({ label, describedBy, changed, entered }: DigitsOptions): DigitsInput {
  const boxes = Array.from({ length: LENGTH }, () => h("span", { class: "digit" }));
  const id = `digits-${(count += 1)}`;
  const draw = (): void => {
    const at = Math.min(input.value.length, LENGTH - 1);
    boxes.forEach((box, i) => {
      box.textContent = input.value.charAt(i);
      box.classList.toggle("digit-current", i === at);
    });
  };
  const input = h("input", {
    class: "digits-input",
    attrs: {
      id,
      type: "text",
      inputmode: "numeric",
      autocomplete: "off",
      maxlength: LENGTH,
      "aria-describedby": describedBy,
    },
    on: {
      input: () => {
        input.value = input.value.replace(/[^0-9]/g, "");
        draw();
        changed(input.value);
      },
      keydown: (event) => {
        if (event.key === "Enter") entered();
      },
    },
  });
  const drawn = h("span", { class: "digits-boxes", attrs: { "aria-hidden": true } }, boxes);
  const name = h("label", { class: "hidden", attrs: { for: id } }, label);
  const element = h("div", { class: "digits" }, name, input, drawn);
  draw();
  return {
    element,
    input,
    value: () => input.value,
    clear: () => {
      input.value = "";
      draw();
    },
    setWrong: (isWrong) => {
      element.classList.toggle("digits-wrong", isWrong);
      if (isWrong) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    },
    close: () => {
      input.readOnly = true;
      element.classList.add("digits-closed");
    },
  };
}
