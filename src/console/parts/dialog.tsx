import { Modal, type ModalProps } from "@mantine/core";
import { useTranslation } from "react-i18next";

/** A dialog above the screen, with a name for its button that closes it. */
export function Dialog(props: ModalProps) {
  const { t } = useTranslation();
  return (
    <Modal
      centered
      closeButtonProps={{ "aria-label": t("common.close") }}
      // Its head is no head of the page.
      attributes={{ header: { role: "presentation" } }}
      {...props}
    />
  );
}
