import { TextInput, type TextInputProps } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useEffect, useRef, useState } from "react";

const TYPING_MS = 300;

/** A text by which a list is narrowed; it asks once the typing rests, not with each key. */
export function SearchInput({
  value,
  onSearch,
  ...input
}: {
  readonly value: string;
  readonly onSearch: (text: string) => void;
} & TextInputProps) {
  const [text, setText] = useState(value);
  const sent = useRef(value);
  const send = useDebouncedCallback((next: string) => {
    sent.current = next;
    onSearch(next);
  }, TYPING_MS);
  // What comes from elsewhere, such as the way back in the browser, replaces what was typed.
  useEffect(() => {
    if (value === sent.current) return;
    sent.current = value;
    setText(value);
  }, [value]);
  return (
    <TextInput
      {...input}
      type="search"
      value={text}
      onChange={({ currentTarget }) => {
        setText(currentTarget.value);
        send(currentTarget.value);
      }}
      autoComplete="off"
      autoCapitalize="none"
      spellCheck={false}
    />
  );
}
