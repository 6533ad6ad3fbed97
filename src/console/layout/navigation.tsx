import { useQuery } from "@connectrpc/connect-query";
import { Divider, NavLink, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link, useLocation, useMatch } from "react-router";
import { SiteService } from "../../../gen/signet/v1/site_service_pb.ts";
import { Icon, type IconName } from "../parts/icon.tsx";
import { useCaller, useIsOperator } from "../session/context.ts";

/** The screens of a Site, in the order of the menu. */
const SITE_SCREENS = [
  { name: "users", icon: "users", operatorOnly: false },
  { name: "keys", icon: "key", operatorOnly: false },
  { name: "changes", icon: "pulse", operatorOnly: true },
  { name: "sync", icon: "health", operatorOnly: false },
  { name: "webhooks", icon: "webhook", operatorOnly: false },
  { name: "audit", icon: "audit", operatorOnly: false },
  { name: "settings", icon: "settings", operatorOnly: false },
] as const;

/** The menu: what concerns all Sites, for operators, and what concerns the Site at hand. */
export function Navigation() {
  const { t } = useTranslation();
  const caller = useCaller();
  const match = useMatch("/sites/:siteId/*");
  const siteId = caller.kind === "admin" ? caller.siteId : match?.params.siteId;
  return (
    <>
      {caller.kind === "operator" && (
        <>
          <Entry to="/sites" icon="sites" label={t("menu.sites")} exact />
          <Entry to="/operator-keys" icon="key" label={t("menu.operatorKeys")} />
          <Entry to="/operator-audit" icon="audit" label={t("menu.operatorAudit")} />
        </>
      )}
      {siteId !== undefined && <SiteEntries siteId={siteId} />}
    </>
  );
}

function SiteEntries({ siteId }: { readonly siteId: string }) {
  const { t } = useTranslation();
  const isOperator = useIsOperator();
  const { data } = useQuery(SiteService.method.getSite, { siteId });
  const screens = SITE_SCREENS.filter(({ operatorOnly }) => isOperator || !operatorOnly);
  return (
    <>
      {isOperator && <Divider my="sm" />}
      <Text size="sm" fw={600} px="sm" pb={4} className="breaks">
        {data?.site?.name ?? t("menu.site")}
      </Text>
      {screens.map(({ name, icon }) => (
        <Entry key={name} to={`/sites/${siteId}/${name}`} icon={icon} label={t(`menu.${name}`)} />
      ))}
    </>
  );
}

function Entry(props: {
  readonly to: string;
  readonly icon: IconName;
  readonly label: string;
  /** Whether what lies below the address is another entry's. */
  readonly exact?: boolean;
}) {
  const { pathname } = useLocation();
  const isHere = pathname === props.to || (!props.exact && pathname.startsWith(`${props.to}/`));
  return (
    <NavLink
      component={Link}
      to={props.to}
      label={props.label}
      leftSection={<Icon name={props.icon} />}
      active={isHere}
      aria-current={isHere ? "page" : undefined}
    />
  );
}
