// olm.js is a script of the page, and has put itself at window.Olm.
