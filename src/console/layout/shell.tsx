import { Anchor, AppShell, Burger, Group, ScrollArea } from "@mantine/core";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useLocation } from "react-router";
import { Icon } from "../parts/icon.tsx";
import { ProofDialog } from "../sign-in/proof-dialog.tsx";
import { Navigation } from "./navigation.tsx";
import { Preferences } from "./preferences.tsx";
import { SignOutButton } from "./sign-out-button.tsx";

/** The frame around every screen: the head, the ways between the screens, and the screen. */
export function Shell({ children }: { readonly children: ReactNode }) {
  const { t } = useTranslation();
  const { pathname } = useLocation();
  /** The screen on which the menu was opened: on the way elsewhere it closes. */
  const [openedAt, setOpenedAt] = useState<string>();
  const opened = openedAt === pathname;
  const toggle = () => setOpenedAt(opened ? undefined : pathname);
  return (
    <AppShell
      header={{ height: 56 }}
      navbar={{ width: 250, breakpoint: "sm", collapsed: { mobile: !opened } }}
      padding={{ base: "md", sm: "lg" }}
    >
      <a className="skip-link" href="#content">
        {t("layout.skip")}
      </a>
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap">
            <Burger
              opened={opened}
              onClick={toggle}
              hiddenFrom="sm"
              size="sm"
              aria-label={t("layout.menu")}
              aria-expanded={opened}
            />
            <Anchor
              component={Link}
              to="/"
              c="inherit"
              underline="never"
              fw={700}
              size="lg"
              aria-label={t("layout.home")}
            >
              <Group gap={6} wrap="nowrap" component="span">
                <Icon name="key" /> Signet
              </Group>
            </Anchor>
          </Group>
          <Group gap="xs" wrap="nowrap">
            <Preferences />
            <SignOutButton />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="sm" aria-label={t("layout.navigation")}>
        {/* On a phone the closed menu is out of sight, and so has to be out of the tab order. */}
        <AppShell.Section grow component={ScrollArea} {...(!opened && { visibleFrom: "sm" })}>
          <Navigation />
        </AppShell.Section>
      </AppShell.Navbar>
      <AppShell.Main id="content" tabIndex={-1}>
        {children}
      </AppShell.Main>
      <ProofDialog />
    </AppShell>
  );
}
