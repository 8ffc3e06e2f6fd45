import { Problem } from "./api.ts";
import type { Api } from "./api.ts";

/** What is said at the next sign-in of a key that was found suspended, or was suspended by what it signed. */
const WORDS: Readonly<Record<string, string>> = {
  counter_regressed:
    "The counter of your key went back: it may have been copied, and is suspended. It approves nothing, and your session has ended. Use another key, and look at what this one approved.",
  key_suspended:
    "Your key is suspended: it approves nothing, and your session has ended. Use another key, and tell your administrator.",
};

/**
 * The same calls. A session ends with its key, and then says why.
 * @param told what to say, as soon as it is known
 */
export function watchingKey(api: Api, told: (words: string) => void): Api {
  const watched = async <T>(answer: Promise<T>): Promise<T> => {
    try {
      return await answer;
    } catch (error) {
      const words = error instanceof Problem ? WORDS[error.reason] : undefined;
      if (words !== undefined) told(words);
      throw error;
    }
  };
  return {
    ...api,
    get: (path) => watched(api.get(path)),
    post: (path, json) => watched(api.post(path, json)),
    remove: (path) => watched(api.remove(path)),
  };
}
