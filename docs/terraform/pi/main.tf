# What each of several Raspberry Pis is told at its first boot: a folder of files for each, to be copied onto the boot
# partition of its card after the card has been written.
terraform {
  required_version = ">= 1.5"
  required_providers {
    local = {
      source  = "hashicorp/local"
      version = "~> 2.5"
    }
  }
}

variable "nodes" {
  description = "Host names: lower-case letters, digits and hyphens"
  type        = set(string)
  default     = ["mill", "school"]

  validation {
    condition     = alltrue([for name in var.nodes : can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", name))])
    error_message = "A host name has lower-case letters, digits and hyphens."
  }
}

variable "ssh_public_key_file" {
  description = "File of the public key that may log in as root"
  type        = string
  default     = "~/.ssh/id_ed25519.pub"
}

resource "local_file" "hostname" {
  for_each = var.nodes
  filename = "${path.module}/cards/${each.key}/hostname"
  content  = "${each.key}\n"
}

resource "local_file" "authorized_keys" {
  for_each = var.nodes
  filename = "${path.module}/cards/${each.key}/authorized_keys"
  content  = "${trimspace(file(pathexpand(var.ssh_public_key_file)))}\n"
}

output "cards" {
  description = "For each node the folder whose files go onto the boot partition of its card"
  value       = { for name in var.nodes : name => "${path.module}/cards/${name}" }
}
