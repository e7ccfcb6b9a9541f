"""Manifests signed with Ed25519: manifest.sig holds the 64 bytes over those of manifest.json.

Needs the extra `signing`. The files are those of other tools too: keys in PEM, the signature raw.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )


class KeyUnusable(Exception):
    """A key file cannot be used, or the extra is not installed; the command is refused as usage."""


def load_signer(path: Path) -> Callable[[bytes], bytes]:
    """What signs by an unencrypted private key in PEM; raises KeyUnusable."""
    return _private_key(path).sign


def load_own_verifier(path: Path) -> Callable[[bytes, bytes], bool]:
    """What says whether a signature is that of a private key's owner; raises KeyUnusable."""
    return _verifier(_private_key(path).public_key())


def _private_key(path: Path) -> Ed25519PrivateKey:
    from_pem = _serialization().load_pem_private_key
    try:
        key: Ed25519PrivateKey = from_pem(_read(path), password=None)
    except (ValueError, TypeError) as error:
        raise KeyUnusable(f"{path} is not an unencrypted private key in PEM: {error}") from None
    if not hasattr(key, "sign") or type(key).__name__ != "Ed25519PrivateKey":
        raise KeyUnusable(f"{path} is not an Ed25519 key")
    return key


def load_verifier(path: Path) -> Callable[[bytes, bytes], bool]:
    """What says whether a signature is that of some bytes, by a public key in PEM.

    Raises KeyUnusable.
    """
    from_pem = _serialization().load_pem_public_key
    try:
        key: Ed25519PublicKey = from_pem(_read(path))
    except (ValueError, TypeError) as error:
        raise KeyUnusable(f"{path} is not a public key in PEM: {error}") from None
    if type(key).__name__ != "Ed25519PublicKey":
        raise KeyUnusable(f"{path} is not an Ed25519 key")
    return _verifier(key)


def _verifier(key: Ed25519PublicKey) -> Callable[[bytes, bytes], bool]:
    def is_signed(signature: bytes, content: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature

        try:
            key.verify(signature, content)
        except InvalidSignature:
            return False
        return True

    return is_signed


def _serialization() -> ModuleType:
    try:
        from cryptography.hazmat.primitives import serialization
    except ImportError:
        raise KeyUnusable("signatures need the extra: pip install 'medcost[signing]'") from None
    return serialization


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeyUnusable(f"{path} cannot be read: {error.strerror}") from None
