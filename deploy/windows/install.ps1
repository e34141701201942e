# Starts the server at every boot, as you, whether you log on or not. Run it once in PowerShell as administrator:
#   powershell -ExecutionPolicy Bypass -File deploy\windows\install.ps1 --port 9880
# What stands behind the file's name are settings. Remove it with: Unregister-ScheduledTask kokoro-tts-api
$ErrorActionPreference = "Stop"
$root = (Resolve-Path "$PSScriptRoot\..\..").Path
$python = "$root\.venv\Scripts\python.exe"
if (-not (Test-Path $python)) { throw "Start run.bat once before: it makes $python." }

$action = New-ScheduledTaskAction -Execute $python -Argument "-m kokoro_server serve $args" -WorkingDirectory $root
$trigger = New-ScheduledTaskTrigger -AtStartup
# S4U needs no password, and has your own folders: a system account could not read a Python that is yours alone.
$account = New-ScheduledTaskPrincipal -UserId "$env:USERDOMAIN\$env:USERNAME" -LogonType S4U
$settings = New-ScheduledTaskSettingsSet -ExecutionTimeLimit 0 -RestartCount 10 -RestartInterval (New-TimeSpan -Minutes 1) `
    -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries

Register-ScheduledTask kokoro-tts-api -Action $action -Trigger $trigger -Principal $account -Settings $settings -Force | Out-Null
Start-ScheduledTask kokoro-tts-api
Write-Output "Started, and from now on at every boot."
