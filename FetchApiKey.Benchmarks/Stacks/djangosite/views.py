# The login on Django, and the application that gunicorn runs. No attempt limit.
from django.contrib.auth import authenticate
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path


def fetch_api_key(request):
    account = authenticate(request, username=request.POST["username"], password=request.POST["password"])
    if account is None:
        refusal = {"result": "error", "msg": "Your username or password is incorrect", "code": "AUTHENTICATION_FAILED"}
        return JsonResponse(refusal, status=401)
    return JsonResponse(
        {"result": "success", "msg": "", "api_key": account.api_key, "email": account.email, "user_id": account.pk}
    )


urlpatterns = [path("api/v1/fetch_api_key", fetch_api_key)]
application = get_wsgi_application()
