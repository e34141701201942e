@echo off
rem Speaks request.json into output.wav with the server on this machine. Double click, or: inference.bat [request.json] [output.wav]
setlocal
set "REQUEST=%~1"
if "%REQUEST%"=="" set "REQUEST=%~dp0request.json"
set "OUTPUT=%~2"
if "%OUTPUT%"=="" set "OUTPUT=%~dp0output.wav"
if "%KOKORO_PORT%"=="" set "KOKORO_PORT=9880"
set "SERVER=http://localhost:%KOKORO_PORT%"

curl --silent --fail --max-time 5 --output NUL "%SERVER%/health"
if errorlevel 1 (
    echo The server is not running at %SERVER%. Start it in another window:  python run.py
    goto failed
)
curl --silent --show-error --fail-with-body -X POST "%SERVER%/synthesize/stream" -H "Content-Type: application/json" --data-binary "@%REQUEST%" --output "%OUTPUT%"
if errorlevel 1 (
    echo The server refused the request. It said:
    type "%OUTPUT%"
    del "%OUTPUT%"
    goto failed
)
echo Spoken into %OUTPUT%
exit /b 0

:failed
rem A window that was opened by a double click would close before anyone could read this.
echo %CMDCMDLINE% | find /i "/c" >NUL && pause
exit /b 1
