// What readers of the screen and managers of passwords ask for, and Hydrogen leaves out of its pages.
{
  const missing = {
    '.PreSessionScreen, .room-placeholder': { role: 'main' },
    '.LeftPanel': { role: 'navigation', 'aria-label': 'Rooms' },
    '.RightPanelView': { role: 'complementary', 'aria-label': 'Details' },
    '.FilterField input': { autocomplete: 'off' },
    '.LoginView_back': { 'aria-label': 'Back' },
    '.RightPanelView .back': { 'aria-label': 'Back' },
    '.RightPanelView .close': { 'aria-label': 'Close' },
    '.CreateRoomView_selectAvatar': { 'aria-label': 'Choose a picture' },
    '.InvitePanelView__input': { 'aria-label': 'User' },
    '#username': { autocomplete: 'username', autocapitalize: 'none' },
    '#password': { autocomplete: 'current-password' },
  }
  const complete = () => {
    for (const [selector, attributes] of Object.entries(missing)) {
      for (const element of document.querySelectorAll(selector)) {
        for (const [name, value] of Object.entries(attributes)) {
          if (element.getAttribute(name) !== value) element.setAttribute(name, value)
        }
      }
    }
  }
  new MutationObserver(complete).observe(document.documentElement, { childList: true, subtree: true })
}
