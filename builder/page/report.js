// Fields that narrow down a table. Without scripts they stay hidden and the tables are whole.
for (const label of document.querySelectorAll('label[data-filters]')) {
  const rows = document.querySelectorAll(`#${label.dataset.filters} tbody tr`)
  label.hidden = false
  label.querySelector('input').addEventListener('input', (event) => {
    const wanted = event.target.value.trim().toLowerCase()
    for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted)
  })
}
