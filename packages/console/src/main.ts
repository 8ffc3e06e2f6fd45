import { webCryptoOn } from "@countersign/core";
import type { Subtle } from "@countersign/core";
import { apiOf } from "./api.ts";
import type { Place } from "./app.ts";
import { enrolPage } from "./pages/enrol.ts";
import { signInPage } from "./pages/sign-in.ts";
import { text } from "./read.ts";
import { forget, keepToken, sessionOf, tokenKept } from "./session.ts";
import { Shell } from "./shell.ts";
import { fill, h } from "./ui/dom.ts";
import { refusal } from "./ui/parts.ts";

const c = webCryptoOn(crypto.subtle as unknown as Subtle); // the same calls; the platform types name their own key classes
const api = apiOf(fetch.bind(globalThis), tokenKept);

let shell: Shell | undefined;

function askToSignIn(place: Place): void {
  shell?.close();
  shell = undefined;
  document.title = "Sign in · countersign";
  const page = signInPage({ c, api, place }, (answer) => {
    keepToken(answer);
    void enter(place);
  });
  fill(document.body, page);
  page.querySelector("h1")?.focus();
}

/** Whoever has a code comes here, signed in or not. */
const isEnrolment = (): boolean => window.location.hash === "#/enrol";

function enrol(place: Place): void {
  shell?.close();
  shell = undefined;
  document.title = "First key · countersign";
  const page = enrolPage({ c, api, place }, (answer) => {
    keepToken(answer);
    window.location.hash = "#/keys";
    void enter(place);
  });
  fill(document.body, page);
  page.querySelector("h1")?.focus();
}

async function enter(place: Place): Promise<void> {
  try {
    const session = sessionOf(await api.get("/v1/owner/me"));
    shell = new Shell({ c, api, place, session }, () => {
      forget();
      askToSignIn(place);
    });
  } catch {
    forget();
    askToSignIn(place);
  }
}

async function start(): Promise<void> {
  try {
    const about = await api.get("/v1/owner/console");
    const place = {
      trustDomain: text(about, "trust_domain"),
      issuer: text(about, "issuer"),
      rpId: text(about, "rp_id"),
    };
    window.addEventListener("hashchange", () => {
      if (isEnrolment()) enrol(place);
    });
    if (isEnrolment()) enrol(place);
    else if (about["signed_in"] === true) await enter(place);
    else askToSignIn(place);
  } catch (error) {
    fill(
      document.body,
      h("main", { class: "sign-in" }, h("h1", {}, "countersign"), refusal(error)),
    );
  }
}

void start();
