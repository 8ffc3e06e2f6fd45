import { webCryptoOn } from "@countersign/core";
import type { Subtle } from "@countersign/core";
import { apiOf, Problem, Unreachable } from "./api.ts";
import type { Place } from "./app.ts";
import { fetched, loadAnew } from "./fetched.ts";
import { OUTSIDE, unstarted } from "./pages/outside.ts";
import { signInPage } from "./pages/sign-in.ts";
import { text } from "./read.ts";
import { forget, keepToken, sessionOf, tokenKept } from "./session.ts";
import { Shell } from "./shell.ts";
import { fill } from "./ui/dom.ts";

const c = webCryptoOn(crypto.subtle as unknown as Subtle); // the same calls; the platform types name their own key classes
const api = apiOf(fetch.bind(globalThis), tokenKept);

let shell: Shell | undefined;

/** Shows a page that stands alone, without anything of a session around it. */
function showAlone(title: string, root: HTMLElement): void {
  shell?.close();
  shell = undefined;
  document.title = `${title} · countersign`;
  fill(document.body, root);
  root.querySelector("h1")?.focus();
}

function askToSignIn(place: Place, note?: string): void {
  const page = signInPage(
    { c, api, place },
    (answer) => {
      keepToken(answer);
      void enter(place);
    },
    note,
  );
  showAlone("Sign in", page);
}

/** Shows the page that the address names, if it is one for whoever has no session. */
function isOutside(place: Place): boolean {
  const { hash } = window.location;
  const made = OUTSIDE[hash]?.({ api, place });
  if (made !== undefined) showAlone(made.title, made.root);
  else if (hash === "#/enrol") void enrol(place);
  else return false;
  return true;
}

/** The steps of a key by a code come in a file of their own: most visitors have a key. */
async function enrol(place: Place): Promise<void> {
  try {
    const { enrolPage } = await fetched(import("./pages/enrol.ts"), api);
    const page = enrolPage({ c, api, place }, (answer) => {
      keepToken(answer);
      window.history.replaceState(null, "", "#/keys"); // entered here, not by the change of the address
      void enter(place);
    });
    showAlone("Make a passkey", page);
  } catch (error) {
    showAlone(
      "Not loaded",
      unstarted(error, () => loadAnew("#/enrol")),
    );
  }
}

async function enter(place: Place): Promise<void> {
  try {
    const session = sessionOf(await api.get("/v1/owner/me"));
    shell?.close();
    shell = new Shell({ c, api, place, session }, (note) => {
      forget();
      askToSignIn(place, note);
    });
  } catch (error) {
    if (error instanceof Unreachable) {
      unreached(error);
      return;
    }
    forget();
    askToSignIn(place);
  }
}

/** Without the server there is nothing to show: it is asked again when the browser is back, or by a press. */
function unreached(error: unknown): void {
  const again = (): void => {
    window.removeEventListener("online", again);
    void start();
  };
  window.addEventListener("online", again);
  showAlone("Not reached", unstarted(error, again));
}

let place: Place | undefined;
window.addEventListener("hashchange", () => {
  if (place === undefined || isOutside(place) || shell !== undefined) return;
  void start();
});

/** Passkeys hang on the host's name: no page asks for one of another, of a parent domain neither. */
const wrongPlace = (rpId: string): Problem =>
  new Problem(
    0,
    "origin_mismatch",
    `This page is at ${window.location.hostname}, and its server says ${rpId}`,
    "Do not sign in here. Open the address that your administrator gave you, and tell him.",
  );

async function start(): Promise<void> {
  try {
    const about = await api.get("/v1/owner/console");
    const rpId = text(about, "rp_id");
    if (rpId !== window.location.hostname) throw wrongPlace(rpId);
    place = { trustDomain: text(about, "trust_domain"), issuer: text(about, "issuer"), rpId };
    if (isOutside(place)) return;
    if (about["signed_in"] === true) await enter(place);
    else askToSignIn(place);
  } catch (error) {
    unreached(error);
  }
}

// a page that the browser kept as it was may show what its reader has left since
window.addEventListener("pageshow", ({ persisted }) => {
  if (persisted) window.location.reload();
});

void start();
