import { TransportProvider } from "@connectrpc/connect-query";
import {
  Anchor,
  Badge,
  type CSSVariablesResolver,
  createTheme,
  localStorageColorSchemeManager,
  MantineProvider,
} from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import type { i18n } from "i18next";
import { useState } from "react";
import { I18nextProvider } from "react-i18next";
import { BrowserRouter } from "react-router";
import { isTransient } from "./parts/refusal.ts";
import { Screens } from "./screens.tsx";
import { type Console, ConsoleContext } from "./session/context.ts";

/** How long an answer is shown without a look whether it is still right. */
const FRESH_MS = 5_000;
const RETRIES_MAX = 2;

const theme = createTheme({
  primaryColor: "indigo",
  defaultRadius: "md",
  fontFamily: "system-ui, sans-serif",
  fontFamilyMonospace: "ui-monospace, monospace",
  headings: { fontFamily: "system-ui, sans-serif" },
  primaryShade: 7,
  respectReducedMotion: true,
  components: {
    Anchor: Anchor.extend({ defaultProps: { fz: "inherit" } }),
    // What a badge says is never cut off.
    Badge: Badge.extend({ defaultProps: { miw: "max-content", tt: "none" } }),
  },
});

/** Text has a contrast of at least 4.5 to what is behind it (WCAG 2.2, 1.4.3). */
const readableColours: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--mantine-color-dimmed": "var(--mantine-color-gray-7)",
    "--mantine-color-error": "var(--mantine-color-red-9)",
    "--mantine-color-red-outline": "var(--mantine-color-red-9)",
    "--mantine-color-teal-outline": "var(--mantine-color-teal-9)",
    "--mantine-color-orange-outline": "#b5420b",
    "--mantine-color-yellow-outline": "#8a5a00",
  },
  dark: { "--mantine-color-dimmed": "var(--mantine-color-dark-1)" },
});

const colorSchemes = localStorageColorSchemeManager({ key: "signet-console-color-scheme" });

/** The whole console. */
export function App({
  shared,
  translation,
  nonce,
}: {
  readonly shared: Console;
  readonly translation: i18n;
  /** By which the page's policy lets styles in. */
  readonly nonce: string;
}) {
  const [queries] = useState(createQueryClient);
  return (
    <I18nextProvider i18n={translation}>
      <MantineProvider
        theme={theme}
        cssVariablesResolver={readableColours}
        defaultColorScheme="auto"
        colorSchemeManager={colorSchemes}
        getStyleNonce={() => nonce}
      >
        <Notifications position="bottom-right" />
        <ConsoleContext value={shared}>
          <TransportProvider transport={shared.transport}>
            <QueryClientProvider client={queries}>
              <BrowserRouter basename="/console">
                <Screens />
              </BrowserRouter>
            </QueryClientProvider>
          </TransportProvider>
        </ConsoleContext>
      </MantineProvider>
    </I18nextProvider>
  );
}

function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: FRESH_MS,
        retry: (failures, error) => failures < RETRIES_MAX && isTransient(error),
      },
      mutations: { retry: false },
    },
  });
}
