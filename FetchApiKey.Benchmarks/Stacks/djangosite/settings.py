# Django's settings for the login: the hasher with the cost that is measured, SQLite, nothing that it does not need.
import os

DEBUG = False
SECRET_KEY = os.urandom(32).hex()
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "djangosite"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "djangosite.views"
AUTH_USER_MODEL = "djangosite.Account"
PASSWORD_HASHERS = ["djangosite.models.Argon2OfCost"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DATABASE"], "CONN_MAX_AGE": None},
}
USE_TZ = True
