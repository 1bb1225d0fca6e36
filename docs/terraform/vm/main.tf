# A node on this machine's libvirt, from images/pub-vm-amd64.qcow2. The schema is that of version 0.8 of the provider; 0.9
# has another one.
terraform {
  required_version = ">= 1.5"
  required_providers {
    libvirt = {
      source  = "dmacvicar/libvirt"
      version = "~> 0.8.3"
    }
  }
}

provider "libvirt" {
  uri = "qemu:///system"
}

variable "image" {
  description = "What pibake baked: images/<profile>-vm-amd64.qcow2"
  type        = string
}

variable "hostname" {
  description = "Host name of the node: lower-case letters, digits and hyphens"
  type        = string
  default     = "pub"
}

variable "ssh_public_key_file" {
  description = "File of the public key that may log in as the user"
  type        = string
  default     = "~/.ssh/id_ed25519.pub"
}

variable "disk_gib" {
  description = "Size of the disk; the node grows into it at its first boot"
  type        = number
  default     = 16
}

resource "libvirt_volume" "image" {
  name   = basename(var.image)
  source = var.image
  format = "qcow2"
}

resource "libvirt_volume" "disk" {
  name           = "${var.hostname}.qcow2"
  base_volume_id = libvirt_volume.image.id
  format         = "qcow2"
  size           = var.disk_gib * 1024 * 1024 * 1024
}

resource "libvirt_cloudinit_disk" "seed" {
  name = "${var.hostname}-seed.iso"

  meta_data = yamlencode({
    instance-id = var.hostname
  })

  user_data = join("\n", ["#cloud-config", yamlencode({
    hostname = var.hostname
    users = [{
      name                = "keeper"
      groups              = "sudo"
      shell               = "/bin/bash"
      sudo                = "ALL=(ALL) NOPASSWD:ALL"
      ssh_authorized_keys = [trimspace(file(pathexpand(var.ssh_public_key_file)))]
    }]
  })])
}

resource "libvirt_domain" "node" {
  name      = var.hostname
  memory    = 2048
  vcpu      = 2
  cloudinit = libvirt_cloudinit_disk.seed.id

  # UEFI without Secure Boot, as Debian's package ovmf has it.
  firmware = "/usr/share/OVMF/OVMF_CODE_4M.fd"
  nvram {
    file     = "/var/lib/libvirt/qemu/nvram/${var.hostname}_VARS.fd"
    template = "/usr/share/OVMF/OVMF_VARS_4M.fd"
  }

  cpu {
    mode = "host-passthrough"
  }

  disk {
    volume_id = libvirt_volume.disk.id
  }

  network_interface {
    network_name   = "default"
    wait_for_lease = true
  }

  console {
    type        = "pty"
    target_type = "serial"
    target_port = "0"
  }
}

output "addresses" {
  description = "Where the node is: ssh keeper@ADDRESS, http://ADDRESS/"
  value       = libvirt_domain.node.network_interface[0].addresses
}
