/** One thing that was judged or tried. Scripts read it: no name in it may change. */
export interface Finding {
  level: "ok" | "warning" | "failure";
  /** The subject, in a word or two. */
  what: string;
  text: string;
  /** The remedy for a person; `null` if nothing is to be done. */
  remedy: string | null;
  /** Nothing is delivered because of it. */
  outage?: true;
}

/** It is as it should be. */
export function ok(what: string, text: string): Finding {
  return { level: "ok", what, text, remedy: null };
}

/** It works, and a person should know. */
export function warning(what: string, text: string, remedy: string): Finding {
  return { level: "warning", what, text, remedy };
}

/** It keeps captures from being taken or delivered. */
export function failure(what: string, text: string, remedy: string): Finding {
  return { level: "failure", what, text, remedy };
}

/** It keeps all captures from being delivered. */
export function outage(what: string, text: string, remedy: string): Finding {
  return { ...failure(what, text, remedy), outage: true };
}
