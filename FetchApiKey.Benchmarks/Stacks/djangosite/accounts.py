# Fills the database from JSON lines on the standard input, where there are any, and prints the hashes that it holds.
import json
import sys

import django
from django.core.management import call_command

django.setup()

from djangosite.models import Account  # noqa: E402: Django must be set up before its models

if sys.argv[1:] == ["create"]:
    call_command("migrate", run_syncdb=True, verbosity=0)
    Account.objects.bulk_create(Account(**json.loads(line)) for line in sys.stdin)
for stored in Account.objects.values_list("password", flat=True):
    print(stored)
