import { EmptyState, Paper, Table } from "@mantine/core";
import type { ReactNode } from "react";

/** A table with a name, which scrolls by itself where the screen is too narrow. */
export function Rows({
  label,
  children,
}: {
  readonly label: string;
  readonly children: ReactNode;
}) {
  return (
    <Paper withBorder>
      <Table.ScrollContainer minWidth={0} type="native">
        <Table aria-label={label} verticalSpacing="sm">
          {children}
        </Table>
      </Table.ScrollContainer>
    </Paper>
  );
}

/** Says that a list is empty. */
export function Nothing({ text }: { readonly text: string }) {
  return (
    <Paper withBorder p="xl">
      <EmptyState description={text} role="status" />
    </Paper>
  );
}
