import type { PageWords } from "./page-words.ts";

/** The pages in German. */
export const de: PageWords = {
  acts: {
    "verify-email": {
      title: "E-Mail-Adresse bestätigen",
      lead: (site) =>
        "Bestätigen Sie, dass diese Adresse Ihnen gehört; dann ist Ihr Konto bei " +
        `${site} bereit.`,
      button: "E-Mail-Adresse bestätigen",
      doneTitle: "Ihre E-Mail-Adresse ist bestätigt",
      done: (site) => `Sie können sich jetzt bei ${site} anmelden.`,
      gone: () => "Falls Sie Ihre Adresse bereits bestätigt haben, brauchen Sie nichts zu tun.",
    },
    "reset-password": {
      title: "Neues Passwort festlegen",
      lead: (site) =>
        `Wählen Sie ein neues Passwort für Ihr Konto bei ${site}. Alle Geräte werden abgemeldet.`,
      button: "Neues Passwort festlegen",
      doneTitle: "Ihr neues Passwort ist festgelegt",
      done: (site) => `Alle Geräte sind abgemeldet. Sie können sich jetzt bei ${site} anmelden.`,
      gone: () => "Falls Sie bereits ein Passwort festgelegt haben, brauchen Sie nichts zu tun.",
    },
    "accept-invitation": {
      title: "Einladung annehmen",
      lead: (site) => `Wählen Sie ein Passwort, dann ist Ihr Konto bei ${site} bereit.`,
      button: "Einladung annehmen",
      doneTitle: "Ihr Konto ist bereit",
      done: (site) => `Sie können sich jetzt mit E-Mail-Adresse und Passwort bei ${site} anmelden.`,
      gone: (site) =>
        "Falls Sie die Einladung bereits angenommen haben, können Sie sich anmelden. Sonst " +
        `bitten Sie die, die Sie zu ${site} eingeladen haben, um eine neue.`,
    },
    "confirm-email-change": {
      title: "Neue E-Mail-Adresse bestätigen",
      lead: (site) => `Diese Adresse wird die Ihres Kontos bei ${site}.`,
      button: "Neue Adresse bestätigen",
      doneTitle: "Ihre E-Mail-Adresse ist geändert",
      done: (site) => `Ab jetzt melden Sie sich bei ${site} mit ihr an.`,
      gone: (site) =>
        "Falls Sie die neue Adresse bereits bestätigt haben, brauchen Sie nichts zu tun. Sonst " +
        `melden Sie sich bei ${site} an und ändern Sie die Adresse dort noch einmal.`,
    },
  },
  asks: {
    "verify-email": {
      title: "Neuen Link anfordern",
      lead: "Wir senden einen neuen Link an die Adresse, mit der Sie sich registriert haben.",
      button: "Neuen Link senden",
      sentTitle: "Sehen Sie in Ihr Postfach",
      sent: (email) =>
        `Falls ${email} auf die Bestätigung wartet, ist eine E-Mail mit einem neuen Link ` +
        "dorthin unterwegs.",
    },
    "reset-password": {
      title: "Passwort vergessen?",
      lead:
        "Wir senden einen Link an die Adresse Ihres Kontos, mit dem Sie ein neues Passwort " +
        "festlegen.",
      button: "Link senden",
      sentTitle: "Sehen Sie in Ihr Postfach",
      sent: (email) =>
        `Falls es zu ${email} hier ein Konto gibt, ist eine E-Mail mit einem Link dorthin ` +
        "unterwegs.",
    },
  },
  goneTitle: "Dieser Link gilt nicht mehr",
  goneReason: "Ein Link gilt einmal, und nur eine Zeit lang.",
  problems: {
    rateLimited: {
      title: "Zu viele Versuche",
      text:
        "Bitte warten Sie einige Minuten, gehen Sie dann zurück und versuchen Sie es noch " +
        "einmal.",
    },
    busy: {
      title: "Im Augenblick nicht möglich",
      text:
        "Es wurde nichts geändert. Bitte warten Sie eine Minute, gehen Sie dann zurück und " +
        "versuchen Sie es noch einmal.",
    },
    failed: {
      title: "Etwas ist schiefgegangen",
      text: "Es liegt nicht an Ihnen. Bitte gehen Sie zurück und versuchen Sie es später.",
    },
    unknown: {
      title: "Diese Seite gibt es nicht",
      text: "Der Link ist unvollständig oder falsch. Bitte kopieren Sie ihn ganz aus der E-Mail.",
    },
    emailTaken: {
      title: "Zu dieser Adresse gibt es bereits ein Konto",
      text: "Die Adresse wurde inzwischen vergeben. Ihr Konto behält die bisherige.",
    },
    foreign: {
      title: "Bitte senden Sie es von dieser Seite",
      text:
        "Die Anfrage kam von anderswo und wurde nicht ausgeführt. Öffnen Sie die Seite noch " +
        "einmal.",
    },
  },
  goOn: (site) => `Weiter zu ${site}`,
  error: "Fehler",
  errors: "Bitte sehen Sie sich das noch einmal an:",
  email: "E-Mail-Adresse",
  newPassword: "Neues Passwort",
  passwordHint: (min) => `Mindestens ${min} Zeichen. Gut sind mehrere Wörter hintereinander.`,
  repeatPassword: "Neues Passwort noch einmal",
  username: "Benutzername",
  usernameHint: "Darf leer bleiben. Buchstaben, Ziffern, Punkte, Binde- und Unterstriche.",
  passwordMissing: "Wählen Sie ein Passwort.",
  passwordTooShort: (min) => `Das Passwort braucht mindestens ${min} Zeichen.`,
  passwordTooLong: "Das Passwort darf höchstens 256 Zeichen haben.",
  passwordKnown:
    "Dieses Passwort gehört zu denen, die zuerst geraten werden. Wählen Sie ein anderes.",
  passwordOfNames:
    "Dieses Passwort besteht fast nur aus Namen, die zu Ihnen oder dieser Seite gehören. Wählen " +
    "Sie ein anderes.",
  passwordsDiffer: "Die beiden Passwörter sind verschieden.",
  usernameWrong:
    "Der Benutzername darf bis zu 64 Buchstaben von a bis z, Ziffern, Punkte, Binde- und " +
    "Unterstriche haben.",
  usernameTaken: "Diesen Benutzernamen hat jemand anders. Wählen Sie einen anderen.",
  emailWrong: "Das ist keine E-Mail-Adresse.",
};
