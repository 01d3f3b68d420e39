import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  CaptureFileError,
  CaptureReadError,
} from "../../sync/capture/errors.ts";
import { outcomeOfError } from "../../sync/upload/outcome.ts";
import { oddText } from "./odd_text.ts";
import { assertShown, TOKEN, token } from "./shown_words.ts";
import { target } from "./target.ts";

const thrown = fc.oneof(
  fc.record({
    kind: fc.constantFrom(
      Error,
      TypeError,
      CaptureFileError,
      CaptureReadError,
    ),
    text: oddText,
    cause: fc.anything(),
  }),
  fc.record({ value: fc.anything() }),
);

const errors = target(
  "errors instead of an answer",
  {
    share: 60,
    examples: [
      { thrown: { value: " " }, token: TOKEN },
      { thrown: { value: { __proto__: null } }, token: TOKEN },
    ],
  },
  () =>
    fc.property(fc.record({ thrown, token }), ({ thrown, token }) => {
      const error = "kind" in thrown
        ? new thrown.kind(`${thrown.text} ${token} ${thrown.text}`, thrown)
        : thrown.value;
      const outcome = outcomeOfError(error, { token });
      assertShown(outcome, [token]);
      assertEquals(outcome.captureId, null);
    }),
);

export const ERRORS = [errors];
