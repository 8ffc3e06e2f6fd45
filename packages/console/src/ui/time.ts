import type { Seconds } from "@countersign/core";

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

/** `4 min 31 s`, `57 min`, `3 h 12 min`, `2 days`: what is left, never less than nothing. */
export function left(seconds: Seconds): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 10 * MINUTE) {
    const minutes = Math.floor(whole / MINUTE);
    const rest = whole % MINUTE;
    return minutes === 0 ? `${rest} s` : `${minutes} min ${rest} s`;
  }
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min`;
  if (whole < DAY) {
    const minutes = Math.floor((whole % HOUR) / MINUTE);
    return `${Math.floor(whole / HOUR)} h${minutes === 0 ? "" : ` ${minutes} min`}`;
  }
  const days = Math.floor(whole / DAY);
  return days === 1 ? "1 day" : `${days} days`;
}

/** Local time of a day: `14:06`, with `today`, `yesterday` or the date where it is not of now. */
export function moment(at: Seconds, now: Seconds): string {
  const date = new Date(at * 1000);
  const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
  const dayOf = (seconds: Seconds): string => new Date(seconds * 1000).toDateString();
  if (dayOf(at) === dayOf(now)) return `today ${time}`;
  if (dayOf(at) === dayOf(now - DAY)) return `yesterday ${time}`;
  const day = date.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  return `${day} ${time}`;
}

/** `14:06:51`, local. */
export function clockTime(at: Seconds): string {
  return new Date(at * 1000).toLocaleTimeString([], { hour12: false });
}

/** `23 Nov 2026, 14:06:20 UTC`: on the sheet, where times are UTC. */
export function utc(at: Seconds): string {
  const text = new Date(at * 1000).toUTCString();
  const [, day = "", month = "", year = "", time = ""] =
    /(\d\d) (\w{3}) (\d{4}) (\d\d:\d\d:\d\d)/.exec(text) ?? [];
  return `${Number(day)} ${month} ${year}, ${time} UTC`;
}
