import { Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { type FormEvent, type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { Refused } from "./answer.tsx";
import { Dialog } from "./dialog.tsx";

/** What {@link Confirm} asks, and what it does then. */
export interface ConfirmProps {
  readonly opened: boolean;
  readonly onClose: () => void;
  readonly title: string;
  /** What will happen. */
  readonly children: ReactNode;
  /** What the button says. */
  readonly action: string;
  readonly onConfirm: () => void;
  readonly isPending: boolean;
  readonly error: unknown;
  /** What has to be typed before it can be done; absent: a click is enough. */
  readonly typed?: string;
}

/** Asks before something is done that cannot be taken back. */
export function Confirm(props: ConfirmProps) {
  return (
    <Dialog opened={props.opened} onClose={props.onClose} title={props.title}>
      <ConfirmForm {...props} />
    </Dialog>
  );
}

/** Begins empty with each opening, since a closed dialog has no content. */
function ConfirmForm(props: ConfirmProps) {
  const { t } = useTranslation();
  const [text, setText] = useState("");
  const isTyped = props.typed === undefined || text === props.typed;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (isTyped) props.onConfirm();
  };
  return (
    <form onSubmit={submit}>
      <Stack>
        <Text component="div" size="sm">
          {props.children}
        </Text>
        {props.typed !== undefined && (
          <TextInput
            label={t("confirm.type", { text: props.typed })}
            value={text}
            onChange={(event) => setText(event.currentTarget.value)}
            autoComplete="off"
            data-autofocus
          />
        )}
        {props.error !== null && props.error !== undefined && <Refused error={props.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={props.onClose}>
            {t("common.cancel")}
          </Button>
          <Button type="submit" color="red" disabled={!isTyped} loading={props.isPending}>
            {props.action}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
