import type { PageWords } from "./page-words.ts";

/** The pages in English. */
export const en: PageWords = {
  acts: {
    "verify-email": {
      title: "Confirm your e-mail address",
      lead: (site) => `Confirm that this address is yours, and your account at ${site} is ready.`,
      button: "Confirm e-mail address",
      doneTitle: "Your e-mail address is confirmed",
      done: (site) => `You can log in to ${site} now.`,
      gone: () => "If you have confirmed your address already, you need not do anything.",
    },
    "reset-password": {
      title: "Set a new password",
      lead: (site) =>
        `Choose a new password for your account at ${site}. All devices will be signed out.`,
      button: "Set new password",
      doneTitle: "Your new password is set",
      done: (site) => `All devices have been signed out. You can log in to ${site} with it now.`,
      gone: () => "If you have set a new password already, you need not do anything.",
    },
    "accept-invitation": {
      title: "Accept the invitation",
      lead: (site) => `Choose a password, and your account at ${site} is ready.`,
      button: "Accept the invitation",
      doneTitle: "Your account is ready",
      done: (site) => `You can log in to ${site} with your e-mail address and password now.`,
      gone: (site) =>
        "If you have accepted already, you can log in. Otherwise ask those who have invited you " +
        `to ${site} for another invitation.`,
    },
    "confirm-email-change": {
      title: "Confirm your new e-mail address",
      lead: (site) => `This address becomes the one of your account at ${site}.`,
      button: "Confirm new address",
      doneTitle: "Your e-mail address is changed",
      done: (site) => `From now on you log in to ${site} with it.`,
      gone: (site) =>
        "If you have confirmed the new address already, you need not do anything. Otherwise log " +
        `in to ${site} and change the address there once more.`,
    },
  },
  asks: {
    "verify-email": {
      title: "Get a new link",
      lead: "We send a new link to the address that you have registered with.",
      button: "Send a new link",
      sentTitle: "Look into your mailbox",
      sent: (email) =>
        `If ${email} waits to be confirmed, a mail with a new link is on its way to it.`,
    },
    "reset-password": {
      title: "Forgotten your password?",
      lead: "We send a link to the address of your account, with which you set a new password.",
      button: "Send a link",
      sentTitle: "Look into your mailbox",
      sent: (email) => `If ${email} has an account here, a mail with a link is on its way to it.`,
    },
  },
  goneTitle: "This link does not work any more",
  goneReason: "A link works once, and only for a while.",
  problems: {
    rateLimited: {
      title: "Too many attempts",
      text: "Please wait a few minutes, then go back and try again.",
    },
    busy: {
      title: "Not possible at the moment",
      text: "Nothing has been changed. Please wait a minute, then go back and try again.",
    },
    failed: {
      title: "Something went wrong",
      text: "It is not your fault. Please go back and try again later.",
    },
    unknown: {
      title: "There is no such page",
      text: "The link is incomplete or wrong. Please copy all of it from the mail.",
    },
    emailTaken: {
      title: "This address has an account already",
      text: "Somebody has taken the address in the meantime. Your account keeps its old one.",
    },
    foreign: {
      title: "Please send it from this page",
      text: "The request came from elsewhere and was not carried out. Open the page again.",
    },
  },
  goOn: (site) => `Go on to ${site}`,
  error: "Error",
  errors: "Please look at this again:",
  email: "E-mail address",
  newPassword: "New password",
  passwordHint: (min) => `At least ${min} characters. Several words in a row are good.`,
  repeatPassword: "New password again",
  username: "Username",
  usernameHint: "May be left empty. Letters, digits, dots, hyphens and underscores.",
  passwordMissing: "Choose a password.",
  passwordTooShort: (min) => `The password needs at least ${min} characters.`,
  passwordTooLong: "The password may have 256 characters at most.",
  passwordKnown: "This password is among those that are guessed first. Choose another.",
  passwordOfNames:
    "This password is little more than names that belong to you or this site. Choose another.",
  passwordsDiffer: "The two passwords differ.",
  usernameWrong:
    "The username may have up to 64 letters from a to z, digits, dots, hyphens and underscores.",
  usernameTaken: "Somebody else has this username. Choose another.",
  emailWrong: "This is not an e-mail address.",
};
