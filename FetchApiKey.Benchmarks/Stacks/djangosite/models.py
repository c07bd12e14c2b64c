# The account, and Django's own hasher with the cost that is measured.
import os

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db import models


class Argon2OfCost(Argon2PasswordHasher):
    memory_cost, time_cost, parallelism = (int(part) for part in os.environ["COST"].split(","))


class Account(AbstractBaseUser):
    email = models.EmailField(unique=True)
    api_key = models.CharField(max_length=32)
    is_active = models.BooleanField(default=True)

    USERNAME_FIELD = "email"
    objects = BaseUserManager()
