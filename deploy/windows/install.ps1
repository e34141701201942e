# Starts the server at every boot under your account, even if you do not log on. Run once in PowerShell as administrator:
#   powershell -ExecutionPolicy Bypass -File deploy\windows\install.ps1 --port 9880
# Arguments are passed to the server as settings. Remove the task with: Unregister-ScheduledTask kokoro-tts-api
$ErrorActionPreference = "Stop"
$root = (Resolve-Path "$PSScriptRoot\..\..").Path
$python = "$root\.venv\Scripts\python.exe"
if (-not (Test-Path $python)) { throw "Run run.bat once first: it creates $python." }

$action = New-ScheduledTaskAction -Execute $python -Argument "-m kokoro_server serve $args" -WorkingDirectory $root
$trigger = New-ScheduledTaskTrigger -AtStartup
# S4U needs no password and can access your folders: a system account could not read a Python installed for one user.
$account = New-ScheduledTaskPrincipal -UserId "$env:USERDOMAIN\$env:USERNAME" -LogonType S4U
$settings = New-ScheduledTaskSettingsSet -ExecutionTimeLimit 0 -RestartCount 10 -RestartInterval (New-TimeSpan -Minutes 1) `
    -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries

Register-ScheduledTask kokoro-tts-api -Action $action -Trigger $trigger -Principal $account -Settings $settings -Force | Out-Null
Start-ScheduledTask kokoro-tts-api
Write-Output "The server is running and will start at every boot."
