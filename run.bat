@echo off
rem Starts the server, installed first if need be. Double click, or: run.bat [--port 9881 ...]
setlocal
cd /d "%~dp0"
set "PYTHON=python"
where py >NUL 2>&1 && set "PYTHON=py -3"
%PYTHON% -c "" >NUL 2>&1
if errorlevel 1 (
    echo Python is not installed. Get 3.12 from the Microsoft Store or python.org, then double click again.
    goto failed
)
%PYTHON% run.py %*
if errorlevel 1 goto failed
exit /b 0

:failed
rem A window that was opened by a double click would close before anyone could read this.
echo %CMDCMDLINE% | find /i "/c" >NUL && pause
exit /b 1
