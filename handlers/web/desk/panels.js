// Where other nouns hang their pieces into the desk. A piece is a module of its own in this folder, named in pieces.js; when it is
// loaded it calls these three. Its words come from its view module (frame.Part.words) by desk.words.say(key).
//
// Everywhere `ticket` is the ticket's line (see desk.js; `ticket.facts` holds what the parts' view modules add to it) and `desk` is
//   words, boot, ask(path, {method, json, form, quiet}), act(ticket, action, json), toast(words)
//   sheet(path)          a dialog with a piece of HTML from the server; its forms work as said below
//   menu(opener, items)  a small menu of [{icon, title, run, danger}]
//   refresh(panel?)      load a panel of the open ticket again, or all of them
//   open(id), ticket()   show a ticket; the open one, or null
//   composer             insert(text), kind(), focus()
//
// A form in a panel or a sheet that has `data-desk` is sent to its `action` (CSRF is seen to) without leaving the page. The answer is
// JSON: {toast?, open?: ticket id, stay?: true}; a refusal {error, field?} is said at the field it names, else above the buttons.

export const panels = [];
export const actions = [];
export const badges = [];

/**
 * A section of the customer's pane, between who they are and their points.
 * id, title (the words' key, or none), order (the lower the higher up; 50)
 * load(ticket): the path of a piece of HTML (null: nothing to show), or
 * render(ticket, desk): an element or null, also as a promise.
 * An empty answer hides the section. It is loaded when the ticket is opened, changes, and once a minute.
 */
export function addPanel({ id, title = "", order = 50, load, render }) {
  panels.push({ id, title, order, load, render });
  panels.sort((one, other) => one.order - other.order);
}

/**
 * Something to do: in the thread's menu and the palette, or (place "composer") beside the text that is written, or (place "me") in
 * the menu of one's own account.
 * id, title (words' key, or a function of (ticket, desk) that gives words; ticket is null in the sheet of keys while none is open), icon (a name in icons.html, also in desk.html's sprite)
 * key: a single key that runs it while nothing is being typed ("p"; a letter that is taken throws)
 * when(ticket, desk): whether it is there (always, if left out); run(ticket, desk, opener); danger: true paints it red
 * Actions of place "me" get ticket = null where none is open, the others are only there with an open ticket.
 */
export function addAction({ id, title, icon = "more", key = null, place = "thread", when = () => true, run, danger = false }) {
  if (key && actions.some((one) => one.key === key)) throw new Error(`the key ${key} is taken`);
  actions.push({ id, title, icon, key, place, when, run, danger });
}

/** A mark on a ticket, in the list and over the thread: draw(ticket, desk) gives {words, kind: good|warn|bad|brand|"", icon?, title?} or null. */
export function addBadge(draw) {
  badges.push(draw);
}
