import { createInstance, type i18n } from "i18next";
import { initReactI18next } from "react-i18next";
import { de } from "./de.ts";
import { en } from "./en.ts";

declare module "i18next" {
  interface CustomTypeOptions {
    defaultNS: "translation";
    resources: { translation: typeof en };
  }
}

/** The languages of the console. */
export const LANGUAGES = ["en", "de"] as const;

/** One of them. */
export type Language = (typeof LANGUAGES)[number];

const STORAGE_KEY = "signet-console-language";

/** Starts in the language that was chosen last, else in the browser's, else in English. */
export async function createTranslation(): Promise<i18n> {
  const translation = createInstance();
  await translation.use(initReactI18next).init({
    lng: firstLanguage(),
    fallbackLng: "en",
    supportedLngs: LANGUAGES,
    resources: { en: { translation: en }, de: { translation: de } },
    // React escapes what it shows.
    interpolation: { escapeValue: false },
  });
  document.documentElement.lang = translation.language;
  translation.on("languageChanged", (language) => {
    document.documentElement.lang = language;
    localStorage.setItem(STORAGE_KEY, language);
  });
  return translation;
}

function firstLanguage(): Language {
  const wished = [localStorage.getItem(STORAGE_KEY), ...navigator.languages];
  const short = wished.map((tag) => tag?.slice(0, 2).toLowerCase());
  return short.map((tag) => LANGUAGES.find((known) => known === tag)).find(Boolean) ?? "en";
}
