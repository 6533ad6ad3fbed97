import {
  ActionIcon,
  Group,
  type MantineColorScheme,
  Menu,
  useMantineColorScheme,
} from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Icon } from "../parts/icon.tsx";
import { LANGUAGES } from "../words/translation.ts";

const SCHEMES: readonly {
  readonly scheme: MantineColorScheme;
  readonly icon: "sun" | "moon" | "screen";
}[] = [
  { scheme: "light", icon: "sun" },
  { scheme: "dark", icon: "moon" },
  { scheme: "auto", icon: "screen" },
];

/** Chooses language and colours; both are kept by the browser. */
export function Preferences() {
  return (
    <Group gap="xs" wrap="nowrap">
      <LanguageMenu />
      <SchemeMenu />
    </Group>
  );
}

function LanguageMenu() {
  const { t, i18n } = useTranslation();
  return (
    <Menu>
      <Menu.Target>
        <ActionIcon
          variant="default"
          size="lg"
          aria-label={`${i18n.language.toUpperCase()}, ${t("layout.language")}`}
        >
          {i18n.language.toUpperCase()}
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {LANGUAGES.map((language) => (
          <Menu.Item
            key={language}
            lang={language}
            onClick={() => void i18n.changeLanguage(language)}
          >
            {new Intl.DisplayNames(language, { type: "language" }).of(language)}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function SchemeMenu() {
  const { t } = useTranslation();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const current = SCHEMES.find(({ scheme }) => scheme === colorScheme)?.icon ?? "screen";
  return (
    <Menu>
      <Menu.Target>
        <ActionIcon variant="default" size="lg" aria-label={t("layout.colours")}>
          <Icon name={current} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {SCHEMES.map(({ scheme, icon }) => (
          <Menu.Item
            key={scheme}
            leftSection={<Icon name={icon} />}
            onClick={() => setColorScheme(scheme)}
          >
            {t(`layout.${scheme}`)}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
