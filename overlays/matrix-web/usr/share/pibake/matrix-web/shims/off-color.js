// Colours of themes that are chosen while the client runs; this page has two finished ones.
export const offColor = () => {
  throw new Error('this page derives no colours')
}
