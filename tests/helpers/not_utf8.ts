/** `{"a":"Tür"}` as a program writes it that knows no UTF-8. */
export const LATIN_1: Uint8Array = Uint8Array.from(
  '{"a":"Tür"}',
  (character) => character.charCodeAt(0),
);

/** The same as Windows calls "Unicode", with its mark. */
export const UTF_16: Uint8Array = new Uint8Array(
  Uint16Array.from(
    '\ufeff{"a":"Tür"}',
    (character) => character.charCodeAt(0),
  ).buffer,
);
